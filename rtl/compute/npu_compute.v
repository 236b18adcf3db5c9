// npu_compute.v : CONV and POOL commands in, each to its unit once its data are there
//
// Both units read the activation buffer through one port and feed one post. So a unit may take its next
// command while it still works on the last, but the other unit waits until it has read its last word;
// post descriptors then reach post in program order by themselves. Purely combinational.
`default_nettype none

module npu_compute (
    input  wire         cmd_valid,
    output wire         cmd_ready,
    input  wire [527:0] cmd_data,
    // Token from load, taken before a command goes to its unit.
    input  wire         wait_load_valid,
    output wire         wait_load_ready,
    output wire         conv_valid,
    input  wire         conv_ready,
    input  wire         conv_idle,
    output wire         pool_valid,
    input  wire         pool_ready,
    input  wire         pool_idle,
    output wire [511:0] unit_cmd,
    output wire         stat_wait
);

  `include "npu_opcodes.vh"

  wire is_pool = cmd_data[7:0] == OP_POOL;
  wire token_ok = !cmd_data[8] || wait_load_valid;
  wire turn_ok = is_pool ? conv_idle : pool_idle;
  wire go = cmd_valid && token_ok && turn_ok;

  assign unit_cmd = cmd_data[511:0];
  assign conv_valid = go && !is_pool;
  assign pool_valid = go && is_pool;
  assign cmd_ready = (conv_valid && conv_ready) || (pool_valid && pool_ready);
  assign wait_load_ready = cmd_ready && cmd_data[8];
  assign stat_wait = cmd_valid && !token_ok;

endmodule

`default_nettype wire
