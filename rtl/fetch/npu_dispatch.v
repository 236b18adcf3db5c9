// npu_dispatch.v : the program as three streams of commands, one per engine
//
// fetch, and a queue for each engine behind it, so that one that waits does not keep the others waiting until
// eight commands for it have been read. Wires only.
`default_nettype none

module npu_dispatch #(
    parameter integer N = 16,
    parameter integer ADDR_W = 32,
    parameter integer ACC_DEPTH = 256,
    parameter integer LINE_WORDS = 256  // of a line of the window, words
) (
    input  wire              clk,
    input  wire              rst_n,
    input  wire              halt,
    input  wire              start,
    input  wire [      31:0] prog_base,
    input  wire [      15:0] prog_len,
    input  wire [ADDR_W-1:0] read_base,
    input  wire [ADDR_W-1:0] read_limit,
    output wire              ar_valid,
    input  wire              ar_ready,
    output wire [ADDR_W-1:0] ar_addr,
    output wire [       7:0] ar_len,
    input  wire              r_valid,
    output wire              r_ready,
    input  wire [   8*N-1:0] r_data,
    input  wire [       1:0] r_resp,
    input  wire              r_last,
    // {number, command}
    output wire              load_valid,
    input  wire              load_ready,
    output wire [     527:0] load_cmd,
    output wire              compute_valid,
    input  wire              compute_ready,
    output wire [     527:0] compute_cmd,
    output wire              store_valid,
    input  wire              store_ready,
    output wire [     527:0] store_cmd,
    output wire              ended,
    output wire              err_valid,
    output wire [       3:0] err_cause,
    output wire [ADDR_W-1:0] err_addr,
    output wire [      15:0] err_cmd,
    output wire              quiet
);

  wire [527:0] cmd;
  wire f_load_valid;
  wire f_load_ready;
  wire f_compute_valid;
  wire f_compute_ready;
  wire f_store_valid;
  wire f_store_ready;

  npu_fetch #(
      .N(N),
      .ADDR_W(ADDR_W),
      .ACC_DEPTH(ACC_DEPTH),
      .LINE_WORDS(LINE_WORDS)
  ) u_fetch (
      .clk(clk),
      .rst_n(rst_n),
      .halt(halt),
      .start(start),
      .prog_base(prog_base),
      .prog_len(prog_len),
      .read_base(read_base),
      .read_limit(read_limit),
      .ar_valid(ar_valid),
      .ar_ready(ar_ready),
      .ar_addr(ar_addr),
      .ar_len(ar_len),
      .r_valid(r_valid),
      .r_ready(r_ready),
      .r_data(r_data),
      .r_resp(r_resp),
      .r_last(r_last),
      .load_valid(f_load_valid),
      .load_ready(f_load_ready),
      .compute_valid(f_compute_valid),
      .compute_ready(f_compute_ready),
      .store_valid(f_store_valid),
      .store_ready(f_store_ready),
      .cmd_data(cmd),
      .ended(ended),
      .err_valid(err_valid),
      .err_cause(err_cause),
      .err_addr(err_addr),
      .err_cmd(err_cmd),
      .quiet(quiet)
  );

  wire [3:0] unused_load_level;
  wire [3:0] unused_compute_level;
  wire [3:0] unused_store_level;

  npu_fifo #(
      .W(528),
      .LOG_D(3)
  ) u_load_queue (
      .clk(clk),
      .rst_n(rst_n),
      .in_valid(f_load_valid),
      .in_ready(f_load_ready),
      .in_data(cmd),
      .out_valid(load_valid),
      .out_ready(load_ready),
      .out_data(load_cmd),
      .level(unused_load_level)
  );

  npu_fifo #(
      .W(528),
      .LOG_D(3)
  ) u_compute_queue (
      .clk(clk),
      .rst_n(rst_n),
      .in_valid(f_compute_valid),
      .in_ready(f_compute_ready),
      .in_data(cmd),
      .out_valid(compute_valid),
      .out_ready(compute_ready),
      .out_data(compute_cmd),
      .level(unused_compute_level)
  );

  npu_fifo #(
      .W(528),
      .LOG_D(3)
  ) u_store_queue (
      .clk(clk),
      .rst_n(rst_n),
      .in_valid(f_store_valid),
      .in_ready(f_store_ready),
      .in_data(cmd),
      .out_valid(store_valid),
      .out_ready(store_ready),
      .out_data(store_cmd),
      .level(unused_store_level)
  );

endmodule

`default_nettype wire
