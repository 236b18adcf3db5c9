// npu_conv_array.v : N x N multipliers, N words of N input channels times N output channels
//
// Weight-stationary. Each column holds the weights of one output channel and sums N products a cycle.
// The next pass's weights come in row by row behind the working set, and one swap puts all of them to
// work, so that passes follow each other without a bubble. With in_window, column o multiplies channel o of
// each tap of a window instead of the channels of one word. Nothing is reset: what valid does not cover has
// no meaning.
`default_nettype none

module npu_conv_array #(
    parameter integer N = 16,
    parameter integer TAPS = 15,  // words of a window, at most N
    parameter integer SUM_W = 16 + $clog2(N)  // bits of a column's sum
) (
    input  wire                clk,
    // Next weights: word `row` holds the weights of output channel `row`: of N input channels, or of the taps.
    input  wire                wgt_valid,
    input  wire [         4:0] wgt_row,    // < N
    input  wire [     8*N-1:0] wgt_data,
    input  wire                swap,
    input  wire                act_valid,
    input  wire                in_window,
    input  wire [     8*N-1:0] act_data,
    input  wire [8*N*TAPS-1:0] win_data,
    output reg  [ N*SUM_W-1:0] sum_data    // one cycle after act_valid
);

  localparam integer LOG_N = $clog2(N);

  reg [8*N-1:0] shadow[0:N-1];
  reg [8*N-1:0] active[0:N-1];

  always @(posedge clk) begin
    if (wgt_valid) shadow[wgt_row[LOG_N-1:0]] <= wgt_data;
  end

  wire unused = &{1'b0, wgt_row};

  function signed [SUM_W-1:0] dot(input [8*N-1:0] a, input [8*N-1:0] w);
    integer i;
    reg signed [15:0] product;
    begin
      dot = 0;
      for (i = 0; i < N; i = i + 1) begin
        product = $signed(a[8*i+:8]) * $signed(w[8*i+:8]);
        dot = dot + {{LOG_N{product[15]}}, product};
      end
    end
  endfunction

  function signed [SUM_W-1:0] dot_channel(input integer channel, input [8*N-1:0] w);
    integer i;
    reg signed [15:0] product;
    begin
      dot_channel = 0;
      for (i = 0; i < TAPS; i = i + 1) begin
        product = $signed(win_data[8*(N*i+channel)+:8]) * $signed(w[8*i+:8]);
        dot_channel = dot_channel + {{LOG_N{product[15]}}, product};
      end
    end
  endfunction

  generate
    genvar o;
    for (o = 0; o < N; o = o + 1) begin : g_column
      always @(posedge clk) begin
        if (swap) active[o] <= shadow[o];
      end

      always @(posedge clk) begin
        if (act_valid) begin
          if (in_window) sum_data[SUM_W*o+:SUM_W] <= dot_channel(o, active[o]);
          else sum_data[SUM_W*o+:SUM_W] <= dot(act_data, active[o]);
        end
      end
    end
  endgenerate

endmodule

`default_nettype wire
