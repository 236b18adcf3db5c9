// compute_bench.v : npu_compute with a clock beside it for the agents, and its command as data of both streams
`default_nettype none

module compute_bench (
    input  wire         clk,
    input  wire         rst_n,
    input  wire         cmd_valid,
    output wire         cmd_ready,
    input  wire [527:0] cmd_data,
    input  wire         wait_load_valid,
    output wire         wait_load_ready,
    output wire         conv_valid,
    input  wire         conv_ready,
    output wire [511:0] conv_data,
    input  wire         conv_idle,
    output wire         pool_valid,
    input  wire         pool_ready,
    output wire [511:0] pool_data,
    input  wire         pool_idle,
    output wire         stat_wait
);

  npu_compute u_compute (
      .cmd_valid(cmd_valid),
      .cmd_ready(cmd_ready),
      .cmd_data(cmd_data),
      .wait_load_valid(wait_load_valid),
      .wait_load_ready(wait_load_ready),
      .conv_valid(conv_valid),
      .conv_ready(conv_ready),
      .conv_idle(conv_idle),
      .pool_valid(pool_valid),
      .pool_ready(pool_ready),
      .pool_idle(pool_idle),
      .unit_cmd(conv_data),
      .stat_wait(stat_wait)
  );

  assign pool_data = conv_data;

  wire unused = &{1'b0, clk, rst_n};

endmodule

`default_nettype wire
