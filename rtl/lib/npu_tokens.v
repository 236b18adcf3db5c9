// npu_tokens.v : queues of tokens without payload, one per channel between two engines
//
// A token says "this part of a buffer is full" or "is free"; which part follows from the order of
// the program, so a counter is all the storage a queue of them needs.
`default_nettype none

module npu_tokens #(
    parameter integer CHANNELS = 1,
    parameter integer W = 6  // a counter holds up to 2^W - 1 tokens
) (
    input  wire                clk,
    input  wire                rst_n,
    input  wire [CHANNELS-1:0] in_valid,
    output wire [CHANNELS-1:0] in_ready,
    output wire [CHANNELS-1:0] out_valid,
    input  wire [CHANNELS-1:0] out_ready
);

  genvar c;
  generate
    for (c = 0; c < CHANNELS; c = c + 1) begin : g_channel
      reg  [W-1:0] count;

      wire         push = in_valid[c] && in_ready[c];
      wire         pop = out_valid[c] && out_ready[c];

      assign in_ready[c]  = count != {W{1'b1}};
      assign out_valid[c] = count != 0;

      always @(posedge clk) begin
        if (!rst_n) count <= 0;
        else if (push && !pop) count <= count + 1'b1;
        else if (pop && !push) count <= count - 1'b1;
      end
    end
  endgenerate

endmodule

`default_nettype wire
