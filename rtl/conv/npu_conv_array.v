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
  reg signed [31:0] active[0:N*N-1];

  always @(posedge clk) begin
    if (wgt_valid) shadow[wgt_row[LOG_N-1:0]] <= wgt_data;
  end

  wire unused = &{1'b0, wgt_row};

  function signed [31:0] wide(input [7:0] value);
    wide = {{24{value[7]}}, value};
  endfunction

  // Every column's sum over the word's channels.
  function [N*SUM_W-1:0] dense(input [8*N-1:0] act);
    integer column;
    integer i;
    reg signed [31:0] total;
    begin
      for (column = 0; column < N; column = column + 1) begin
        total = 32'sd0;
        for (i = 0; i < N; i = i + 1) total = total + wide(act[8*i+:8]) * active[N*column+i];
        dense[SUM_W*column+:SUM_W] = total[SUM_W-1:0];
      end
    end
  endfunction

  // Every column's sum over the taps of its own channel.
  function [N*SUM_W-1:0] depthwise(input [8*N*TAPS-1:0] win);
    integer column;
    integer i;
    reg signed [31:0] total;
    begin
      for (column = 0; column < N; column = column + 1) begin
        total = 32'sd0;
        for (i = 0; i < TAPS; i = i + 1) begin
          total = total + wide(win[8*(N*i+column)+:8]) * active[N*column+i];
        end
        depthwise[SUM_W*column+:SUM_W] = total[SUM_W-1:0];
      end
    end
  endfunction

  integer o;
  integer k;

  always @(posedge clk) begin
    if (swap) begin
      for (o = 0; o < N; o = o + 1) begin
        for (k = 0; k < N; k = k + 1) active[N*o+k] <= wide(shadow[o][8*k+:8]);
      end
    end
  end

  always @(posedge clk) begin
    if (act_valid) begin
      if (in_window) sum_data <= depthwise(win_data);
      else sum_data <= dense(act_data);
    end
  end

endmodule

`default_nettype wire
