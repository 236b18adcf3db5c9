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

  // A parameter that the core cannot be built for names a module that does not exist.
  generate
    if (N != 4 && N != 8 && N != 16 && N != 32) begin : g_bad_n
      npu_error_N_must_be_4_8_16_or_32 u_error ();
    end
    if (ACT_WORDS != 1 << LOG_ACT || WGT_WORDS != 1 << LOG_WGT || OUT_WORDS != 1 << LOG_OUT ||
        PAR_WORDS != 1 << LOG_PAR || RES_WORDS != 1 << LOG_RES || ACC_DEPTH != 1 << LOG_DEPTH ||
        LINE_WORDS != 1 << LOG_LINE || OUTSTANDING != 1 << LOG_OUTSTANDING) begin : g_bad_size
      npu_error_sizes_must_be_powers_of_two u_error ();
    end
    if (LOG_ACT > 16 || LOG_WGT > 16 || LOG_OUT > 16 || LOG_PAR > 16 || LOG_RES > 16) begin : g_bad_depth
      npu_error_buffers_hold_at_most_65536_words u_error ();
    end
    if (ACC_DEPTH < 2 || ACC_DEPTH > 32768 || OUTSTANDING < 2) begin : g_bad_limit
      npu_error_ACC_DEPTH_2_to_32768_OUTSTANDING_2_or_more u_error ();
    end
    if (LINE_WORDS < 2 || LINE_WORDS > 65536) begin : g_bad_line
      npu_error_LINE_WORDS_2_to_65536 u_error ();
    end
    if (MAX_BURST < 1 || MAX_BURST > 256 || MAX_BURST * N > 4096) begin : g_bad_burst
      npu_error_MAX_BURST_must_be_1_to_256_and_fit_4_KiB u_error ();
    end
    if (ADDR_W != 32) begin : g_bad_addr
      npu_error_ADDR_W_must_be_32 u_error ();
    end
  endgenerate

  // From the host side, at the end.
  wire core_rst_n;
  wire go;
  wire halt;
  wire [31:0] prog_base;
  wire [15:0] prog_len;
  wire [31:0] read_base;
  wire [31:0] read_limit;
  wire [31:0] write_base;
  wire [31:0] write_limit;

  // ---------------------------------------------------------------- fetch, with a queue per engine

  wire f_ar_valid;
  wire f_ar_ready;
  wire [ADDR_W-1:0] f_ar_addr;
  wire [7:0] f_ar_len;
  wire f_r_valid;
  wire f_r_ready;
  wire lq_valid;
  wire lq_ready;
  wire [527:0] lq_cmd;
  wire cq_valid;
  wire cq_ready;
  wire [527:0] cq_cmd;
  wire sq_valid;
  wire sq_ready;
  wire [527:0] sq_cmd;
  wire f_ended;
  wire f_err_valid;
  wire [3:0] f_err_cause;
  wire [ADDR_W-1:0] f_err_addr;
  wire [15:0] f_err_cmd;
  wire f_quiet;

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
      .r_data(m_axi_rdata),
      .r_resp(m_axi_rresp),
      .r_last(m_axi_rlast),
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

  // ---------------------------------------------------------------- tokens: <from>_<to>

  wire lc_in_valid;
  wire lc_in_ready;
  wire lc_out_valid;
  wire lc_out_ready;
  wire cl_in_valid;
  wire cl_in_ready;
  wire cl_out_valid;
  wire cl_out_ready;
  wire cs_in_valid;
  wire cs_in_ready;
  wire cs_out_valid;
  wire cs_out_ready;
  wire sc_in_valid;
  wire sc_in_ready;
  wire sc_out_valid;
  wire sc_out_ready;
  wire sl_in_valid;
  wire sl_in_ready;
  wire sl_out_valid;
  wire sl_out_ready;

  npu_tokens u_load_compute (
      .clk(clk),
      .rst_n(core_rst_n),
      .in_valid(lc_in_valid),
      .in_ready(lc_in_ready),
      .out_valid(lc_out_valid),
      .out_ready(lc_out_ready)
  );

  npu_tokens u_compute_load (
      .clk(clk),
      .rst_n(core_rst_n),
      .in_valid(cl_in_valid),
      .in_ready(cl_in_ready),
      .out_valid(cl_out_valid),
      .out_ready(cl_out_ready)
  );

  npu_tokens u_compute_store (
      .clk(clk),
      .rst_n(core_rst_n),
      .in_valid(cs_in_valid),
      .in_ready(cs_in_ready),
      .out_valid(cs_out_valid),
      .out_ready(cs_out_ready)
  );

  npu_tokens u_store_compute (
      .clk(clk),
      .rst_n(core_rst_n),
      .in_valid(sc_in_valid),
      .in_ready(sc_in_ready),
      .out_valid(sc_out_valid),
      .out_ready(sc_out_ready)
  );

  npu_tokens u_store_load (
      .clk(clk),
      .rst_n(core_rst_n),
      .in_valid(sl_in_valid),
      .in_ready(sl_in_ready),
      .out_valid(sl_out_valid),
      .out_ready(sl_out_ready)
  );

  // ---------------------------------------------------------------- load

  wire l_ar_valid;
  wire l_ar_ready;
  wire [ADDR_W-1:0] l_ar_addr;
  wire [7:0] l_ar_len;
  wire l_r_valid;
  wire l_r_ready;
  wire l_wr_en;
  wire [2:0] l_wr_dest;
  wire [15:0] l_wr_addr;
  wire [8*N-1:0] l_wr_data;
  wire l_stamp_valid;
  wire l_stamp_ready;
  wire [7:0] l_stamp_layer;
  wire l_err_valid;
  wire l_err_decerr;
  wire l_err_window;
  wire [ADDR_W-1:0] l_err_addr;
  wire [15:0] l_err_cmd;
  wire l_idle;
  wire l_quiet;
  wire [15:0] l_flying_cmd;
  wire l_stat_wait;

  npu_load #(
      .N(N),
      .ADDR_W(ADDR_W),
      .MAX_BURST(MAX_BURST),
      .LOG_OUTSTANDING(LOG_OUTSTANDING)
  ) u_load (
      .clk(clk),
      .rst_n(core_rst_n),
      .halt(halt),
      .cmd_valid(lq_valid),
      .cmd_ready(lq_ready),
      .cmd_data(lq_cmd),
      .read_base(read_base),
      .read_limit(read_limit),
      .wait_compute_valid(cl_out_valid),
      .wait_compute_ready(cl_out_ready),
      .wait_store_valid(sl_out_valid),
      .wait_store_ready(sl_out_ready),
      .sig_compute_valid(lc_in_valid),
      .sig_compute_ready(lc_in_ready),
      .stamp_valid(l_stamp_valid),
      .stamp_ready(l_stamp_ready),
      .stamp_layer(l_stamp_layer),
      .ar_valid(l_ar_valid),
      .ar_ready(l_ar_ready),
      .ar_addr(l_ar_addr),
      .ar_len(l_ar_len),
      .r_valid(l_r_valid),
      .r_ready(l_r_ready),
      .r_data(m_axi_rdata),
      .r_resp(m_axi_rresp),
      .r_last(m_axi_rlast),
      .wr_en(l_wr_en),
      .wr_dest(l_wr_dest),
      .wr_addr(l_wr_addr),
      .wr_data(l_wr_data),
      .err_valid(l_err_valid),
      .err_decerr(l_err_decerr),
      .err_window(l_err_window),
      .err_addr(l_err_addr),
      .err_cmd(l_err_cmd),
      .idle(l_idle),
      .quiet(l_quiet),
      .flying_cmd(l_flying_cmd),
      .stat_wait(l_stat_wait)
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
      .m_axi_arid(m_axi_arid),
      .m_axi_araddr(m_axi_araddr),
      .m_axi_arlen(m_axi_arlen),
      .m_axi_arsize(m_axi_arsize),
      .m_axi_arburst(m_axi_arburst),
      .m_axi_arvalid(m_axi_arvalid),
      .m_axi_arready(m_axi_arready),
      .m_axi_rid(m_axi_rid),
      .m_axi_rvalid(m_axi_rvalid),
      .m_axi_rready(m_axi_rready)
  );

  // ---------------------------------------------------------------- compute

  wire p_stamp_valid;
  wire p_stamp_ready;
  wire [7:0] p_stamp_layer;
  wire out_rd_en;
  wire [15:0] out_rd_addr;
  wire [8*N-1:0] out_rd_data;
  wire d_idle;
  wire d_moves;
  wire conv_reads;
  wire pool_reads;
  wire load_missing;
  wire units_idle;
  wire weights_missing;
  wire room_missing;
  wire token_full;
  wire d_drains;

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
      .rst_n(core_rst_n),
      .cmd_valid(cq_valid),
      .cmd_ready(cq_ready),
      .cmd_data(cq_cmd),
      .wr_en(l_wr_en),
      .wr_dest(l_wr_dest),
      .wr_addr(l_wr_addr),
      .wr_data(l_wr_data),
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
      .stamp_valid(p_stamp_valid),
      .stamp_ready(p_stamp_ready),
      .stamp_layer(p_stamp_layer),
      .idle(d_idle),
      .moves(d_moves),
      .conv_reads(conv_reads),
      .pool_reads(pool_reads),
      .load_missing(load_missing),
      .units_idle(units_idle),
      .weights_missing(weights_missing),
      .room_missing(room_missing),
      .token_full(token_full),
      .drains(d_drains)
  );

  // ---------------------------------------------------------------- store

  wire s_stamp_valid;
  wire [7:0] s_stamp_layer;
  wire s_err_valid;
  wire s_err_decerr;
  wire s_err_window;
  wire [ADDR_W-1:0] s_err_addr;
  wire [15:0] s_err_cmd;
  wire s_idle;
  wire s_quiet;
  wire [15:0] s_flying_cmd;
  wire s_stat_wait;

  npu_store #(
      .N(N),
      .ADDR_W(ADDR_W),
      .MAX_BURST(MAX_BURST),
      .LOG_OUTSTANDING(LOG_OUTSTANDING)
  ) u_store (
      .clk(clk),
      .rst_n(core_rst_n),
      .halt(halt),
      .cmd_valid(sq_valid),
      .cmd_ready(sq_ready),
      .cmd_data(sq_cmd),
      .write_base(write_base),
      .write_limit(write_limit),
      .wait_compute_valid(cs_out_valid),
      .wait_compute_ready(cs_out_ready),
      .sig_compute_valid(sc_in_valid),
      .sig_compute_ready(sc_in_ready),
      .sig_load_valid(sl_in_valid),
      .sig_load_ready(sl_in_ready),
      .stamp_valid(s_stamp_valid),
      .stamp_layer(s_stamp_layer),
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
      .rd_en(out_rd_en),
      .rd_addr(out_rd_addr),
      .rd_data(out_rd_data),
      .err_valid(s_err_valid),
      .err_decerr(s_err_decerr),
      .err_window(s_err_window),
      .err_addr(s_err_addr),
      .err_cmd(s_err_cmd),
      .idle(s_idle),
      .quiet(s_quiet),
      .flying_cmd(s_flying_cmd),
      .stat_wait(s_stat_wait)
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

  wire [31:0] waits;
  wire [15:0] waits_cmd;

  npu_waits u_waits (
      .ar_waits(m_axi_arvalid && !m_axi_arready),
      .aw_waits(m_axi_awvalid && !m_axi_awready),
      .w_waits(m_axi_wvalid && !m_axi_wready),
      .fetch_flying(!f_quiet),
      .load_flying(!l_quiet),
      .store_flying(!s_quiet),
      .load_flying_cmd(l_flying_cmd),
      .store_flying_cmd(s_flying_cmd),
      .load_lacks_compute(l_stat_wait && lq_cmd[9] && !cl_out_valid),
      .load_lacks_store(l_stat_wait && lq_cmd[10] && !sl_out_valid),
      .load_cmd(lq_cmd[527:512]),
      .compute_lacks_load(load_missing),
      .compute_cmd(cq_cmd[527:512]),
      .post_lacks_store(room_missing),
      .store_lacks_compute(s_stat_wait),
      .store_cmd(sq_cmd[527:512]),
      .load_full(lc_in_valid && !lc_in_ready),
      .compute_full(token_full),
      .store_full(m_axi_bvalid && !m_axi_bready),
      .waits(waits),
      .cmd(waits_cmd)
  );

  npu_host #(
      .N(N),
      .ADDR_W(ADDR_W),
      .LOG_ACT(LOG_ACT),
      .LOG_WGT(LOG_WGT),
      .LOG_OUT(LOG_OUT),
      .LOG_PAR(LOG_PAR),
      .LOG_RES(LOG_RES),
      .LOG_DEPTH(LOG_DEPTH),
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
      .idle(!lq_valid && l_idle && !cq_valid && d_idle && !sq_valid && s_idle),
      .quiet(f_quiet && l_quiet && s_quiet),
      .progress(bus_moves || d_moves),
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
      .conv_reads(conv_reads),
      .pool_reads(pool_reads),
      .load_missing(load_missing),
      .units_idle(units_idle),
      .load_held(l_idle && l_stat_wait),
      .weights_missing(weights_missing),
      .room_missing(room_missing),
      .token_full(token_full),
      .drains(d_drains || !s_idle),
      .load_wait(l_stat_wait),
      .store_wait(s_stat_wait),
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
