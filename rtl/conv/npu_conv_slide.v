// npu_conv_slide.v : the loops of a CONV with `window`: groups, and the words of an input block in raster order
//
// Every word is read once. It is the newest of a window of kh rows and kw columns, whose sum belongs to an
// output pixel if the strides say so; so the words before the first sum of a row, and the rows before the
// first row of sums, are only passed on to npu_conv_window. Ends are counted in output pixels.
`default_nettype none

module npu_conv_slide #(
    parameter integer LOG_DEPTH = 8,  // log2 of the pixels in an accumulator bank
    parameter integer LOG_LINE  = 8   // log2 of the words in a row of the input
) (
    input wire clk,
    input wire take,  // start with cmd_data, which is `cmd` from the next cycle on
    input wire [511:0] cmd_data,
    input wire [511:0] cmd,
    input wire go,  // the word is read
    output wire pass_starts,
    output wire tile_starts,
    output wire tile_ends,
    output wire group_ends,
    output wire [15:0] rd_addr,
    output wire [LOG_LINE-1:0] column,  // of the word, in its row
    output wire sums,  // a window is complete with this word
    output wire [LOG_DEPTH-1:0] acc_pixel  // of its sum
);

  wire [15:0] kx_step = cmd[96+:16];
  wire [15:0] ky_step = cmd[112+:16];
  wire [7:0] kw = cmd[128+:8];
  wire [7:0] kh = cmd[136+:8];
  wire [15:0] out_w = cmd[160+:16];
  wire [15:0] out_h = cmd[176+:16];
  wire [15:0] tile = cmd[208+:16];
  wire [15:0] x_stride = cmd[320+:16];
  wire [15:0] y_stride = cmd[336+:16];

  reg starts;  // at the first word of a group
  reg [LOG_LINE-1:0] ix;
  reg [15:0] to_x;  // columns and rows until a window is complete
  reg [15:0] to_y;
  reg [15:0] ox;  // output pixel of the next sum
  reg [15:0] oy;
  reg [15:0] count;  // sums of the tile so far
  reg [15:0] group_addr;
  reg [15:0] row_addr;
  reg [15:0] addr;

  wire x_sums = to_x == 16'd0;
  wire y_sums = to_y == 16'd0;
  wire row_ends = x_sums && ox == out_w - 16'd1;
  wire image_ends = row_ends && y_sums && oy == out_h - 16'd1;

  assign pass_starts = starts;
  assign sums = x_sums && y_sums;
  assign tile_starts = sums && count == 16'd0;
  assign tile_ends = sums && (image_ends || count == tile - 16'd1);
  assign group_ends = image_ends;
  assign rd_addr = addr;
  assign column = ix;
  assign acc_pixel = count[LOG_DEPTH-1:0];

  always @(posedge clk) begin
    if (take) begin
      starts <= 1'b1;
      count  <= 16'd0;
    end else if (go) begin
      starts <= image_ends;
      if (sums) count <= tile_ends ? 16'd0 : count + 16'd1;
    end
  end

  // Columns.
  always @(posedge clk) begin
    if (take) begin
      ix   <= 0;
      to_x <= {8'd0, cmd_data[128+:8]} - 16'd1;
      ox   <= 16'd0;
    end else if (go) begin
      ix   <= ix + 1'b1;
      to_x <= x_sums ? x_stride - 16'd1 : to_x - 16'd1;
      if (x_sums) ox <= ox + 16'd1;
      if (row_ends) begin
        ix   <= 0;
        to_x <= {8'd0, kw} - 16'd1;
        ox   <= 16'd0;
      end
    end
  end

  // Rows.
  always @(posedge clk) begin
    if (take) begin
      to_y <= {8'd0, cmd_data[136+:8]} - 16'd1;
      oy   <= 16'd0;
    end else if (go && row_ends) begin
      to_y <= y_sums ? y_stride - 16'd1 : to_y - 16'd1;
      if (y_sums) oy <= oy + 16'd1;
      if (image_ends) begin
        to_y <= {8'd0, kh} - 16'd1;
        oy   <= 16'd0;
      end
    end
  end

  // Addresses: the next group lies one word on.
  always @(posedge clk) begin
    if (take) begin
      group_addr <= cmd_data[32+:16];
      row_addr <= cmd_data[32+:16];
      addr <= cmd_data[32+:16];
    end else if (go) begin
      addr <= addr + kx_step;
      if (row_ends) begin
        row_addr <= row_addr + ky_step;
        addr <= row_addr + ky_step;
      end
      if (image_ends) begin
        group_addr <= group_addr + 16'd1;
        row_addr <= group_addr + 16'd1;
        addr <= group_addr + 16'd1;
      end
    end
  end

endmodule

`default_nettype wire
