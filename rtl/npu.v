// npu.v : the core (docs/architecture.md)
//
// Wires only: what each box does is in its folder. Data widths follow from N; a word is N bytes everywhere.
`default_nettype none

module npu #(
    parameter integer N = 16,
    parameter integer ADDR_W = 32,
    parameter integer ID_W = 4,
    parameter integer ACT_WORDS = 8192,
    parameter integer WGT_WORDS = 8192,
    parameter integer OUT_WORDS = 4096,
    parameter integer PAR_WORDS = 1024,
    parameter integer RES_WORDS = 4096,
    parameter integer ACC_DEPTH = 256,
    parameter integer LINE_WORDS = 256,
    parameter integer MAX_BURST = 64,
    parameter integer OUTSTANDING = 8
) (
    input  wire              clk,
    input  wire              rst_n,
    input  wire [      13:0] s_axi_awaddr,
    input  wire              s_axi_awvalid,
    output wire              s_axi_awready,
    input  wire [      31:0] s_axi_wdata,
    input  wire [       3:0] s_axi_wstrb,
    input  wire              s_axi_wvalid,
    output wire              s_axi_wready,
    output wire [       1:0] s_axi_bresp,
    output wire              s_axi_bvalid,
    input  wire              s_axi_bready,
    input  wire [      13:0] s_axi_araddr,
    input  wire              s_axi_arvalid,
    output wire              s_axi_arready,
    output wire [      31:0] s_axi_rdata,
    output wire [       1:0] s_axi_rresp,
    output wire              s_axi_rvalid,
    input  wire              s_axi_rready,
    output wire [  ID_W-1:0] m_axi_arid,
    output wire [ADDR_W-1:0] m_axi_araddr,
    output wire [       7:0] m_axi_arlen,
    output wire [       2:0] m_axi_arsize,
    output wire [       1:0] m_axi_arburst,
    output wire              m_axi_arvalid,
    input  wire              m_axi_arready,
    input  wire [  ID_W-1:0] m_axi_rid,
    input  wire [   8*N-1:0] m_axi_rdata,
    input  wire [       1:0] m_axi_rresp,
    input  wire              m_axi_rlast,
    input  wire              m_axi_rvalid,
    output wire              m_axi_rready,
    output wire [  ID_W-1:0] m_axi_awid,
    output wire [ADDR_W-1:0] m_axi_awaddr,
    output wire [       7:0] m_axi_awlen,
    output wire [       2:0] m_axi_awsize,
    output wire [       1:0] m_axi_awburst,
    output wire              m_axi_awvalid,
    input  wire              m_axi_awready,
    output wire [   8*N-1:0] m_axi_wdata,
    output wire [     N-1:0] m_axi_wstrb,
    output wire              m_axi_wlast,
    output wire              m_axi_wvalid,
    input  wire              m_axi_wready,
    input  wire [  ID_W-1:0] m_axi_bid,
    input  wire [       1:0] m_axi_bresp,
    input  wire              m_axi_bvalid,
    output wire              m_axi_bready,
    output wire              irq
);

  localparam integer LOG_N = $clog2(N);
  localparam integer LOG_ACT = $clog2(ACT_WORDS);
  localparam integer LOG_WGT = $clog2(WGT_WORDS);
  localparam integer LOG_OUT = $clog2(OUT_WORDS);
  localparam integer LOG_PAR = $clog2(PAR_WORDS);
  localparam integer LOG_RES = $clog2(RES_WORDS);
  localparam integer LOG_DEPTH = $clog2(ACC_DEPTH);
  localparam integer LOG_LINE = $clog2(LINE_WORDS);
  localparam integer LOG_BURST = $clog2(MAX_BURST);
  localparam integer LOG_OUTSTANDING = $clog2(OUTSTANDING);
  localparam [2:0] SIZE = LOG_N[2:0];
  localparam [ID_W-1:0] ID_STORE = 2;

  `include "npu_check_params.vh"

  // From the host side, at the end.
  wire core_rst_n, go, halt;
  wire [31:0] prog_base;
  wire [15:0] prog_len;
  wire [31:0] read_base, read_limit, write_base, write_limit;

  // ---------------------------------------------------------------- fetch, with a queue per engine

  wire f_ar_valid, f_ar_ready, f_r_valid, f_r_ready;
  wire [N*8-1:0] r_data;  // of both
  wire [1:0] r_resp;
  wire r_last;
  wire [ADDR_W-1:0] f_ar_addr;
  wire [7:0] f_ar_len;
  wire lq_valid, lq_ready, cq_valid, cq_ready, sq_valid, sq_ready;
  wire [527:0] lq_cmd, cq_cmd, sq_cmd;
  wire f_ended, f_quiet, f_err_valid;
  wire [3:0] f_err_cause;
  wire [ADDR_W-1:0] f_err_addr;
  wire [15:0] f_err_cmd;

  npu_dispatch #(
      .N(N),
      .ADDR_W(ADDR_W),
      .ACC_DEPTH(ACC_DEPTH),
      .LINE_WORDS(LINE_WORDS)
  ) u_dispatch (
      .clk(clk),
      .rst_n(core_rst_n),
      .halt(halt),
      .start(go),
      .prog_base(prog_base),
      .prog_len(prog_len),
      .read_base(read_base),
      .read_limit(read_limit),
      .ar_valid(f_ar_valid),
      .ar_ready(f_ar_ready),
      .ar_addr(f_ar_addr),
      .ar_len(f_ar_len),
      .r_valid(f_r_valid),
      .r_ready(f_r_ready),
      .r_data(r_data),
      .r_resp(r_resp),
      .r_last(r_last),
      .load_valid(lq_valid),
      .load_ready(lq_ready),
      .load_cmd(lq_cmd),
      .compute_valid(cq_valid),
      .compute_ready(cq_ready),
      .compute_cmd(cq_cmd),
      .store_valid(sq_valid),
      .store_ready(sq_ready),
      .store_cmd(sq_cmd),
      .ended(f_ended),
      .err_valid(f_err_valid),
      .err_cause(f_err_cause),
      .err_addr(f_err_addr),
      .err_cmd(f_err_cmd),
      .quiet(f_quiet)
  );

  // ---------------------------------------------------------------- load, compute, store

  wire l_ar_valid, l_ar_ready, l_r_valid, l_r_ready;
  wire [ADDR_W-1:0] l_ar_addr;
  wire [7:0] l_ar_len;
  wire l_err_valid, l_err_decerr, l_err_window, s_err_valid, s_err_decerr, s_err_window;
  wire [ADDR_W-1:0] l_err_addr, s_err_addr;
  wire [15:0] l_err_cmd, s_err_cmd;
  wire l_stamp_valid, l_stamp_ready, p_stamp_valid, p_stamp_ready, s_stamp_valid;
  wire [7:0] l_stamp_layer, p_stamp_layer, s_stamp_layer;
  wire e_idle, e_quiet, e_moves, load_wait, store_wait;
  wire [ 8:0] activity;
  wire [31:0] waits;
  wire [15:0] waits_cmd;

  npu_engines #(
      .N(N),
      .ADDR_W(ADDR_W),
      .LOG_ACT(LOG_ACT),
      .LOG_WGT(LOG_WGT),
      .LOG_OUT(LOG_OUT),
      .LOG_PAR(LOG_PAR),
      .LOG_RES(LOG_RES),
      .LOG_DEPTH(LOG_DEPTH),
      .LOG_LINE(LOG_LINE),
      .MAX_BURST(MAX_BURST),
      .LOG_OUTSTANDING(LOG_OUTSTANDING)
  ) u_engines (
      .clk(clk),
      .rst_n(core_rst_n),
      .halt(halt),
      .read_base(read_base),
      .read_limit(read_limit),
      .write_base(write_base),
      .write_limit(write_limit),
      .load_valid(lq_valid),
      .load_ready(lq_ready),
      .load_cmd(lq_cmd),
      .compute_valid(cq_valid),
      .compute_ready(cq_ready),
      .compute_cmd(cq_cmd),
      .store_valid(sq_valid),
      .store_ready(sq_ready),
      .store_cmd(sq_cmd),
      .ar_valid(l_ar_valid),
      .ar_ready(l_ar_ready),
      .ar_addr(l_ar_addr),
      .ar_len(l_ar_len),
      .r_valid(l_r_valid),
      .r_ready(l_r_ready),
      .r_data(r_data),
      .r_resp(r_resp),
      .r_last(r_last),
      .aw_valid(m_axi_awvalid),
      .aw_ready(m_axi_awready),
      .aw_addr(m_axi_awaddr),
      .aw_len(m_axi_awlen),
      .w_valid(m_axi_wvalid),
      .w_ready(m_axi_wready),
      .w_data(m_axi_wdata),
      .w_last(m_axi_wlast),
      .b_valid(m_axi_bvalid),
      .b_ready(m_axi_bready),
      .b_resp(m_axi_bresp),
      .load_err_valid(l_err_valid),
      .load_err_decerr(l_err_decerr),
      .load_err_window(l_err_window),
      .load_err_addr(l_err_addr),
      .load_err_cmd(l_err_cmd),
      .store_err_valid(s_err_valid),
      .store_err_decerr(s_err_decerr),
      .store_err_window(s_err_window),
      .store_err_addr(s_err_addr),
      .store_err_cmd(s_err_cmd),
      .load_stamp_valid(l_stamp_valid),
      .load_stamp_ready(l_stamp_ready),
      .load_stamp_layer(l_stamp_layer),
      .post_stamp_valid(p_stamp_valid),
      .post_stamp_ready(p_stamp_ready),
      .post_stamp_layer(p_stamp_layer),
      .store_stamp_valid(s_stamp_valid),
      .store_stamp_layer(s_stamp_layer),
      .idle(e_idle),
      .quiet(e_quiet),
      .moves(e_moves),
      .load_wait(load_wait),
      .store_wait(store_wait),
      .activity(activity),
      .ar_waits(m_axi_arvalid && !m_axi_arready),
      .fetch_flying(!f_quiet),
      .waits(waits),
      .waits_cmd(waits_cmd)
  );

  npu_read_mux #(
      .N(N),
      .ADDR_W(ADDR_W),
      .ID_W(ID_W)
  ) u_read_mux (
      .clk(clk),
      .rst_n(rst_n),
      .s0_ar_valid(f_ar_valid),
      .s0_ar_ready(f_ar_ready),
      .s0_ar_addr(f_ar_addr),
      .s0_ar_len(f_ar_len),
      .s0_r_valid(f_r_valid),
      .s0_r_ready(f_r_ready),
      .s1_ar_valid(l_ar_valid),
      .s1_ar_ready(l_ar_ready),
      .s1_ar_addr(l_ar_addr),
      .s1_ar_len(l_ar_len),
      .s1_r_valid(l_r_valid),
      .s1_r_ready(l_r_ready),
      .r_data(r_data),
      .r_resp(r_resp),
      .r_last(r_last),
      .m_axi_arid(m_axi_arid),
      .m_axi_araddr(m_axi_araddr),
      .m_axi_arlen(m_axi_arlen),
      .m_axi_arsize(m_axi_arsize),
      .m_axi_arburst(m_axi_arburst),
      .m_axi_arvalid(m_axi_arvalid),
      .m_axi_arready(m_axi_arready),
      .m_axi_rid(m_axi_rid),
      .m_axi_rdata(m_axi_rdata),
      .m_axi_rresp(m_axi_rresp),
      .m_axi_rlast(m_axi_rlast),
      .m_axi_rvalid(m_axi_rvalid),
      .m_axi_rready(m_axi_rready)
  );

  assign m_axi_awid = ID_STORE;
  assign m_axi_awsize = SIZE;
  assign m_axi_awburst = 2'b01;
  assign m_axi_wstrb = {N{1'b1}};

  // ---------------------------------------------------------------- host side

  wire read_beat = m_axi_rvalid && m_axi_rready;
  wire write_beat = m_axi_wvalid && m_axi_wready;
  wire read_burst = m_axi_arvalid && m_axi_arready;
  wire write_burst = m_axi_awvalid && m_axi_awready;
  wire write_response = m_axi_bvalid && m_axi_bready;
  wire bus_moves = read_beat || write_beat || read_burst || write_burst || write_response;

  npu_host #(
      .N(N),
      .ADDR_W(ADDR_W),
      .LOG_ACT(LOG_ACT),
      .LOG_WGT(LOG_WGT),
      .LOG_OUT(LOG_OUT),
      .LOG_PAR(LOG_PAR),
      .LOG_RES(LOG_RES),
      .LOG_DEPTH(LOG_DEPTH),
      .LOG_LINE(LOG_LINE),
      .LOG_BURST(LOG_BURST)
  ) u_host (
      .clk(clk),
      .rst_n(rst_n),
      .s_axi_awaddr(s_axi_awaddr),
      .s_axi_awvalid(s_axi_awvalid),
      .s_axi_awready(s_axi_awready),
      .s_axi_wdata(s_axi_wdata),
      .s_axi_wstrb(s_axi_wstrb),
      .s_axi_wvalid(s_axi_wvalid),
      .s_axi_wready(s_axi_wready),
      .s_axi_bresp(s_axi_bresp),
      .s_axi_bvalid(s_axi_bvalid),
      .s_axi_bready(s_axi_bready),
      .s_axi_araddr(s_axi_araddr),
      .s_axi_arvalid(s_axi_arvalid),
      .s_axi_arready(s_axi_arready),
      .s_axi_rdata(s_axi_rdata),
      .s_axi_rresp(s_axi_rresp),
      .s_axi_rvalid(s_axi_rvalid),
      .s_axi_rready(s_axi_rready),
      .irq(irq),
      .core_rst_n(core_rst_n),
      .go(go),
      .halt(halt),
      .prog_base(prog_base),
      .prog_len(prog_len),
      .read_base(read_base),
      .read_limit(read_limit),
      .write_base(write_base),
      .write_limit(write_limit),
      .ended(f_ended),
      .idle(e_idle),
      .quiet(f_quiet && e_quiet),
      .progress(bus_moves || e_moves),
      .fetch_err_valid(f_err_valid),
      .fetch_err_cause(f_err_cause),
      .fetch_err_addr(f_err_addr),
      .fetch_err_cmd(f_err_cmd),
      .load_err_valid(l_err_valid),
      .load_err_decerr(l_err_decerr),
      .load_err_window(l_err_window),
      .load_err_addr(l_err_addr),
      .load_err_cmd(l_err_cmd),
      .store_err_valid(s_err_valid),
      .store_err_decerr(s_err_decerr),
      .store_err_window(s_err_window),
      .store_err_addr(s_err_addr),
      .store_err_cmd(s_err_cmd),
      .waits(waits),
      .waits_cmd(waits_cmd),
      .activity(activity),
      .load_wait(load_wait),
      .store_wait(store_wait),
      .read_beat(read_beat),
      .write_beat(write_beat),
      .read_burst(read_burst),
      .write_burst(write_burst),
      .load_stamp_valid(l_stamp_valid),
      .load_stamp_ready(l_stamp_ready),
      .load_stamp_layer(l_stamp_layer),
      .post_stamp_valid(p_stamp_valid),
      .post_stamp_ready(p_stamp_ready),
      .post_stamp_layer(p_stamp_layer),
      .store_stamp_valid(s_stamp_valid),
      .store_stamp_layer(s_stamp_layer)
  );

  // One write manager: the ID of a response says nothing new.
  wire unused = &{1'b0, m_axi_bid};

endmodule

`default_nettype wire
