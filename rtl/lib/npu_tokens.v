// npu_tokens.v : a queue of tokens without payload between two engines
//
// A token says "this part of a buffer is full" or "is free"; which part follows from the order of
// the program, so a counter is all the storage a queue of them needs.
`default_nettype none

module npu_tokens #(
    parameter integer W = 6  // the counter holds up to 2^W - 1 tokens
) (
    input  wire clk,
    input  wire rst_n,
    input  wire in_valid,
    output wire in_ready,
    output wire out_valid,
    input  wire out_ready
);

  reg  [W-1:0] count;

  wire         push = in_valid && in_ready;
  wire         pop = out_valid && out_ready;

  assign in_ready  = count != {W{1'b1}};
  assign out_valid = count != 0;

  always @(posedge clk) begin
    if (!rst_n) count <= 0;
    else if (push && !pop) count <= count + 1'b1;
    else if (pop && !push) count <= count - 1'b1;
  end

endmodule

`default_nettype wire
