// channel_rules.v : the handshake rules of one valid/ready channel, for simulators and for proofs
//
// broken has a bit per rule, from bit 0 in the order of CHANNEL_RULES in tb/agents/rules.py, and holds at each
// rising edge for what that edge samples: a bench collects it there, a proof asserts that it stays 0. The X rules
// are idle in a simulator with two states.
`default_nettype none

module channel_rules #(
    parameter integer PAYLOAD_W = 8
) (
    input  wire                 clk,
    input  wire                 rst_n,
    input  wire                 valid,
    input  wire                 ready,
    input  wire [PAYLOAD_W-1:0] payload,
    output wire                 moved,    // a transfer, all of it known
    output wire [          5:0] broken
);

  reg awake;  // reset was seen
  reg was_reset;
  reg waits;
  reg [PAYLOAD_W-1:0] held;

  initial begin
    awake = 1'b0;
    was_reset = 1'b0;
    waits = 1'b0;
  end

  wire in_reset = rst_n !== 1'b1;
  wire live = awake && !in_reset;
  wire known = (valid ^ ready) !== 1'bx;
  wire payload_known = (^payload) !== 1'bx;
  wire offered = live && known && valid;

  assign moved = offered && payload_known && ready;
  assign broken[0] = live && !known;  // HANDSHAKE_X
  assign broken[1] = live && known && waits && !valid;  // VALID_STABLE
  assign broken[2] = offered && payload_known && waits && payload != held;  // PAYLOAD_STABLE
  assign broken[3] = offered && !payload_known;  // PAYLOAD_X
  // The edge that first sees reset is the one that makes a synchronous design obey.
  assign broken[4] = in_reset && was_reset && valid !== 1'b0;  // VALID_IN_RESET
  assign broken[5] = offered && was_reset;  // VALID_AFTER_RESET

  always @(posedge clk) begin
    if (in_reset) awake <= 1'b1;
    was_reset <= in_reset;
    waits <= offered && payload_known && !ready;
    if (offered) held <= payload;
  end

endmodule

`resetall
