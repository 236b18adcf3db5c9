// npu_conv_window.v : the words of an image in raster order in, the window that ends with each of them out
//
// The rows above come from a line buffer, which holds the last ROWS - 1 words of each column; the columns
// before are in shift registers. Tap r * COLS + c of the window is the word r rows above and c columns before
// the newest, whatever the kernel's size; taps beyond the kernel are 0. Rows have at least two words, so a
// column is never read in the cycle that writes it. Nothing is reset: until a window lies within the image,
// nobody uses it.
`default_nettype none

module npu_conv_window #(
    parameter integer N = 16,
    parameter integer ROWS = 3,
    parameter integer COLS = 5,
    parameter integer LOG_LINE = 8  // log2 of the words in a row
) (
    input  wire                     clk,
    // A word is being read: its column, and its command's kernel.
    input  wire                     rd_en,
    input  wire [     LOG_LINE-1:0] rd_column,
    input  wire [              7:0] rd_kw,
    input  wire [              7:0] rd_kh,
    // The word, a cycle later.
    input  wire                     in_valid,
    input  wire [          8*N-1:0] in_data,
    output reg  [8*N*ROWS*COLS-1:0] taps        // one cycle after in_valid
);

  localparam integer W = 8 * N;

  reg [LOG_LINE-1:0] column;
  reg [ROWS-1:0] keep_row;
  reg [COLS-1:0] keep_col;
  integer k;

  always @(posedge clk) begin
    if (rd_en) begin
      column <= rd_column;
      for (k = 0; k < ROWS; k = k + 1) keep_row[k] <= rd_kh > k[7:0];
      for (k = 0; k < COLS; k = k + 1) keep_col[k] <= rd_kw > k[7:0];
    end
  end

  wire [W*ROWS-1:0] newest;  // column of the window, newest row first

  generate
    if (ROWS == 1) begin : g_no_line
      assign newest = in_data;
      wire unused = &{1'b0, column};
    end else begin : g_line
      wire [W*(ROWS-1)-1:0] above;
      assign newest = {above, in_data};

      npu_buffer #(
          .W(W * (ROWS - 1)),
          .LOG_D(LOG_LINE)
      ) u_line (
          .clk(clk),
          .wr_en(in_valid),
          .wr_addr(column),
          .wr_data(newest[W*(ROWS-1)-1:0]),
          .rd_en(rd_en),
          .rd_addr(rd_column),
          .rd_data(above)
      );
    end
  endgenerate

  generate
    genvar r;
    genvar c;
    for (r = 0; r < ROWS; r = r + 1) begin : g_row
      // The newest word of the row before those that are there.
      wire [W*(COLS+1)-1:0] words = {
        taps[W*COLS*r+:W*COLS], keep_row[r] ? newest[W*r+:W] : {W{1'b0}}
      };

      for (c = 0; c < COLS; c = c + 1) begin : g_col
        always @(posedge clk) begin
          if (in_valid) taps[W*(COLS*r+c)+:W] <= keep_col[c] ? words[W*c+:W] : {W{1'b0}};
        end
      end

      wire unused = &{1'b0, words[W*COLS+:W]};
    end
  endgenerate

endmodule

`default_nettype wire
