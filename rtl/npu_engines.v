// npu_engines.v : load, compute and store, with the tokens between them
//
// Commands and AXI channels in, AXI channels out; what happens between the three engines, in which order and
// what they wait for, stays in here. Wires only: each engine is in its own folder.
`default_nettype none

module npu_engines #(
    parameter integer N = 16,
    parameter integer ADDR_W = 32,
    parameter integer LOG_ACT = 13,  // log2 of each buffer's words
    parameter integer LOG_WGT = 13,
    parameter integer LOG_OUT = 12,
    parameter integer LOG_PAR = 10,
    parameter integer LOG_RES = 12,
    parameter integer LOG_DEPTH = 8,  // log2 of the pixels in an accumulator bank
    parameter integer LOG_LINE = 8,  // log2 of the words in a row of a windowed input
    parameter integer MAX_BURST = 64,
    parameter integer LOG_OUTSTANDING = 3  // log2 of the bursts in flight each way
) (
    input wire clk,
    input wire rst_n,
    // High: start no more bursts, let those under way end.
    input wire halt,
    input wire [ADDR_W-1:0] read_base,  // npu_page_window.v
    input wire [ADDR_W-1:0] read_limit,
    input wire [ADDR_W-1:0] write_base,
    input wire [ADDR_W-1:0] write_limit,
    // {number, command} from the queue of each engine.
    input wire load_valid,
    output wire load_ready,
    input wire [527:0] load_cmd,
    input wire compute_valid,
    output wire compute_ready,
    input wire [527:0] compute_cmd,
    input wire store_valid,
    output wire store_ready,
    input wire [527:0] store_cmd,
    // Reads of load, writes of store.
    output wire ar_valid,
    input wire ar_ready,
    output wire [ADDR_W-1:0] ar_addr,
    output wire [7:0] ar_len,
    input wire r_valid,
    output wire r_ready,
    input wire [8*N-1:0] r_data,
    input wire [1:0] r_resp,
    input wire r_last,
    output wire aw_valid,
    input wire aw_ready,
    output wire [ADDR_W-1:0] aw_addr,
    output wire [7:0] aw_len,
    output wire w_valid,
    input wire w_ready,
    output wire [8*N-1:0] w_data,
    output wire w_last,
    input wire b_valid,
    output wire b_ready,
    input wire [1:0] b_resp,
    output wire load_err_valid,
    output wire load_err_decerr,
    output wire load_err_window,
    output wire [ADDR_W-1:0] load_err_addr,
    output wire [15:0] load_err_cmd,
    output wire store_err_valid,
    output wire store_err_decerr,
    output wire store_err_window,
    output wire [ADDR_W-1:0] store_err_addr,
    output wire [15:0] store_err_cmd,
    output wire load_stamp_valid,
    input wire load_stamp_ready,
    output wire [7:0] load_stamp_layer,
    output wire post_stamp_valid,
    input wire post_stamp_ready,
    output wire [7:0] post_stamp_layer,
    output wire store_stamp_valid,
    output wire [7:0] store_stamp_layer,
    output wire idle,  // nothing queued, nothing being done
    output wire quiet,  // nothing under way on the bus
    output wire moves,  // a word of a buffer is read or written
    output wire load_wait,  // a token is what the next command lacks
    output wire store_wait,
    output wire [8:0] activity,  // the inputs of npu_account.v in their order, from bit 0
    // For the record of the watchdog, with what only the others know: npu_waits.v.
    input wire ar_waits,
    input wire fetch_flying,
    output wire [31:0] waits,
    output wire [15:0] waits_cmd
);

  // ---------------------------------------------------------------- tokens: <from>_<to>

  wire lc_in_valid, lc_in_ready, lc_out_valid, lc_out_ready;
  wire cl_in_valid, cl_in_ready, cl_out_valid, cl_out_ready;
  wire cs_in_valid, cs_in_ready, cs_out_valid, cs_out_ready;
  wire sc_in_valid, sc_in_ready, sc_out_valid, sc_out_ready;
  wire sl_in_valid, sl_in_ready, sl_out_valid, sl_out_ready;

  npu_tokens #(
      .CHANNELS(5)
  ) u_tokens (
      .clk(clk),
      .rst_n(rst_n),
      .in_valid({lc_in_valid, cl_in_valid, cs_in_valid, sc_in_valid, sl_in_valid}),
      .in_ready({lc_in_ready, cl_in_ready, cs_in_ready, sc_in_ready, sl_in_ready}),
      .out_valid({lc_out_valid, cl_out_valid, cs_out_valid, sc_out_valid, sl_out_valid}),
      .out_ready({lc_out_ready, cl_out_ready, cs_out_ready, sc_out_ready, sl_out_ready})
  );

  // ---------------------------------------------------------------- engines

  // From load into the buffers, from the output buffer to store.
  wire wr_en, out_rd_en;
  wire [2:0] wr_dest;
  wire [15:0] wr_addr, out_rd_addr;
  wire [8*N-1:0] wr_data, out_rd_data;
  wire conv_reads, pool_reads, load_missing, units_idle, weights_missing, room_missing, token_full;
  wire l_idle, l_quiet, d_idle, d_drains, s_idle, s_quiet;
  wire [15:0] l_flying_cmd, s_flying_cmd;

  npu_load #(
      .N(N),
      .ADDR_W(ADDR_W),
      .MAX_BURST(MAX_BURST),
      .LOG_OUTSTANDING(LOG_OUTSTANDING)
  ) u_load (
      .clk(clk),
      .rst_n(rst_n),
      .halt(halt),
      .cmd_valid(load_valid),
      .cmd_ready(load_ready),
      .cmd_data(load_cmd),
      .read_base(read_base),
      .read_limit(read_limit),
      .wait_compute_valid(cl_out_valid),
      .wait_compute_ready(cl_out_ready),
      .wait_store_valid(sl_out_valid),
      .wait_store_ready(sl_out_ready),
      .sig_compute_valid(lc_in_valid),
      .sig_compute_ready(lc_in_ready),
      .stamp_valid(load_stamp_valid),
      .stamp_ready(load_stamp_ready),
      .stamp_layer(load_stamp_layer),
      .ar_valid(ar_valid),
      .ar_ready(ar_ready),
      .ar_addr(ar_addr),
      .ar_len(ar_len),
      .r_valid(r_valid),
      .r_ready(r_ready),
      .r_data(r_data),
      .r_resp(r_resp),
      .r_last(r_last),
      .wr_en(wr_en),
      .wr_dest(wr_dest),
      .wr_addr(wr_addr),
      .wr_data(wr_data),
      .err_valid(load_err_valid),
      .err_decerr(load_err_decerr),
      .err_window(load_err_window),
      .err_addr(load_err_addr),
      .err_cmd(load_err_cmd),
      .idle(l_idle),
      .quiet(l_quiet),
      .flying_cmd(l_flying_cmd),
      .stat_wait(load_wait)
  );

  npu_datapath #(
      .N(N),
      .LOG_ACT(LOG_ACT),
      .LOG_WGT(LOG_WGT),
      .LOG_OUT(LOG_OUT),
      .LOG_PAR(LOG_PAR),
      .LOG_RES(LOG_RES),
      .LOG_DEPTH(LOG_DEPTH),
      .LOG_LINE(LOG_LINE)
  ) u_datapath (
      .clk(clk),
      .rst_n(rst_n),
      .cmd_valid(compute_valid),
      .cmd_ready(compute_ready),
      .cmd_data(compute_cmd),
      .wr_en(wr_en),
      .wr_dest(wr_dest),
      .wr_addr(wr_addr),
      .wr_data(wr_data),
      .wait_load_valid(lc_out_valid),
      .wait_load_ready(lc_out_ready),
      .sig_load_valid(cl_in_valid),
      .sig_load_ready(cl_in_ready),
      .wait_store_valid(sc_out_valid),
      .wait_store_ready(sc_out_ready),
      .sig_store_valid(cs_in_valid),
      .sig_store_ready(cs_in_ready),
      .out_rd_en(out_rd_en),
      .out_rd_addr(out_rd_addr),
      .out_rd_data(out_rd_data),
      .stamp_valid(post_stamp_valid),
      .stamp_ready(post_stamp_ready),
      .stamp_layer(post_stamp_layer),
      .idle(d_idle),
      .moves(moves),
      .conv_reads(conv_reads),
      .pool_reads(pool_reads),
      .load_missing(load_missing),
      .units_idle(units_idle),
      .weights_missing(weights_missing),
      .room_missing(room_missing),
      .token_full(token_full),
      .drains(d_drains)
  );

  npu_store #(
      .N(N),
      .ADDR_W(ADDR_W),
      .MAX_BURST(MAX_BURST),
      .LOG_OUTSTANDING(LOG_OUTSTANDING)
  ) u_store (
      .clk(clk),
      .rst_n(rst_n),
      .halt(halt),
      .cmd_valid(store_valid),
      .cmd_ready(store_ready),
      .cmd_data(store_cmd),
      .write_base(write_base),
      .write_limit(write_limit),
      .wait_compute_valid(cs_out_valid),
      .wait_compute_ready(cs_out_ready),
      .sig_compute_valid(sc_in_valid),
      .sig_compute_ready(sc_in_ready),
      .sig_load_valid(sl_in_valid),
      .sig_load_ready(sl_in_ready),
      .stamp_valid(store_stamp_valid),
      .stamp_layer(store_stamp_layer),
      .aw_valid(aw_valid),
      .aw_ready(aw_ready),
      .aw_addr(aw_addr),
      .aw_len(aw_len),
      .w_valid(w_valid),
      .w_ready(w_ready),
      .w_data(w_data),
      .w_last(w_last),
      .b_valid(b_valid),
      .b_ready(b_ready),
      .b_resp(b_resp),
      .rd_en(out_rd_en),
      .rd_addr(out_rd_addr),
      .rd_data(out_rd_data),
      .err_valid(store_err_valid),
      .err_decerr(store_err_decerr),
      .err_window(store_err_window),
      .err_addr(store_err_addr),
      .err_cmd(store_err_cmd),
      .idle(s_idle),
      .quiet(s_quiet),
      .flying_cmd(s_flying_cmd),
      .stat_wait(store_wait)
  );

  assign idle  = !load_valid && l_idle && !compute_valid && d_idle && !store_valid && s_idle;
  assign quiet = l_quiet && s_quiet;

  // ---------------------------------------------------------------- what they do, what they wait for

  wire load_held = l_idle && load_wait;
  wire drains = d_drains || !s_idle;

  assign activity[3:0] = {units_idle, load_missing, pool_reads, conv_reads};
  assign activity[8:4] = {drains, token_full, room_missing, weights_missing, load_held};

  npu_waits u_waits (
      .ar_waits(ar_waits),
      .aw_waits(aw_valid && !aw_ready),
      .w_waits(w_valid && !w_ready),
      .fetch_flying(fetch_flying),
      .load_flying(!l_quiet),
      .store_flying(!s_quiet),
      .load_flying_cmd(l_flying_cmd),
      .store_flying_cmd(s_flying_cmd),
      .load_lacks_compute(load_wait && load_cmd[9] && !cl_out_valid),
      .load_lacks_store(load_wait && load_cmd[10] && !sl_out_valid),
      .load_cmd(load_cmd[527:512]),
      .compute_lacks_load(load_missing),
      .compute_cmd(compute_cmd[527:512]),
      .post_lacks_store(room_missing),
      .store_lacks_compute(store_wait),
      .store_cmd(store_cmd[527:512]),
      .load_full(lc_in_valid && !lc_in_ready),
      .compute_full(token_full),
      .store_full(b_valid && !b_ready),
      .waits(waits),
      .cmd(waits_cmd)
  );

endmodule

`default_nettype wire
