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
    parameter integer MAX_BURST = 64,
    parameter integer OUTSTANDING = 8
) (
    input  wire              clk,
    input  wire              rst_n,
    input  wire [      11:0] s_axi_awaddr,
    input  wire              s_axi_awvalid,
    output wire              s_axi_awready,
    input  wire [      31:0] s_axi_wdata,
    input  wire [       3:0] s_axi_wstrb,
    input  wire              s_axi_wvalid,
    output wire              s_axi_wready,
    output wire [       1:0] s_axi_bresp,
    output wire              s_axi_bvalid,
    input  wire              s_axi_bready,
    input  wire [      11:0] s_axi_araddr,
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
  localparam integer LOG_BURST = $clog2(MAX_BURST);
  localparam integer LOG_OUTSTANDING = $clog2(OUTSTANDING);
  localparam [2:0] SIZE = LOG_N[2:0];
  localparam [ID_W-1:0] ID_STORE = 2;
  localparam [2:0] DEST_ACT = 3'd0;
  localparam [2:0] DEST_WGT = 3'd1;
  localparam [2:0] DEST_PAR = 3'd2;
  localparam [2:0] DEST_TAB = 3'd3;
  localparam [2:0] DEST_RES = 3'd4;

  // A parameter that the core cannot be built for names a module that does not exist.
  generate
    if (N != 4 && N != 8 && N != 16 && N != 32) begin : g_bad_n
      npu_error_N_must_be_4_8_16_or_32 u_error ();
    end
    if (ACT_WORDS != 1 << LOG_ACT || WGT_WORDS != 1 << LOG_WGT || OUT_WORDS != 1 << LOG_OUT ||
        PAR_WORDS != 1 << LOG_PAR || RES_WORDS != 1 << LOG_RES || ACC_DEPTH != 1 << LOG_DEPTH ||
        OUTSTANDING != 1 << LOG_OUTSTANDING) begin : g_bad_size
      npu_error_sizes_must_be_powers_of_two u_error ();
    end
    if (LOG_ACT > 16 || LOG_WGT > 16 || LOG_OUT > 16 || LOG_PAR > 16 || LOG_RES > 16) begin : g_bad_depth
      npu_error_buffers_hold_at_most_65536_words u_error ();
    end
    if (ACC_DEPTH < 2 || ACC_DEPTH > 32768 || OUTSTANDING < 2) begin : g_bad_limit
      npu_error_ACC_DEPTH_2_to_32768_OUTSTANDING_2_or_more u_error ();
    end
    if (MAX_BURST < 1 || MAX_BURST > 256 || MAX_BURST * N > 4096) begin : g_bad_burst
      npu_error_MAX_BURST_must_be_1_to_256_and_fit_4_KiB u_error ();
    end
    if (ADDR_W != 32) begin : g_bad_addr
      npu_error_ADDR_W_must_be_32 u_error ();
    end
  endgenerate

  // ---------------------------------------------------------------- host side

  wire core_rst_n;
  wire start;
  wire stop;
  wire go;
  wire halt;
  wire busy;
  wire done_event;
  wire error_event;
  wire [31:0] prog_base;
  wire [15:0] prog_len;
  wire [31:0] watchdog_limit;
  wire [3:0] err_cause;
  wire [ADDR_W-1:0] err_addr;
  wire [3:0] err_id;
  wire [15:0] err_cmd;
  wire count_rd_en;
  wire count_rd_stamp;
  wire [7:0] count_rd_index;
  wire [31:0] count_rd_data;

  npu_csr #(
      .N(N),
      .LOG_ACT(LOG_ACT),
      .LOG_WGT(LOG_WGT),
      .LOG_OUT(LOG_OUT),
      .LOG_PAR(LOG_PAR),
      .LOG_RES(LOG_RES),
      .LOG_DEPTH(LOG_DEPTH),
      .LOG_BURST(LOG_BURST)
  ) u_csr (
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
      .start(start),
      .stop(stop),
      .prog_base(prog_base),
      .prog_len(prog_len),
      .watchdog_limit(watchdog_limit),
      .busy(busy),
      .done_event(done_event),
      .error_event(error_event),
      .err_cause(err_cause),
      .err_addr(err_addr),
      .err_id(err_id),
      .err_cmd(err_cmd),
      .count_rd_en(count_rd_en),
      .count_rd_stamp(count_rd_stamp),
      .count_rd_index(count_rd_index),
      .count_rd_data(count_rd_data)
  );

  // ---------------------------------------------------------------- fetch and the queues behind it

  wire f_ar_valid;
  wire f_ar_ready;
  wire [ADDR_W-1:0] f_ar_addr;
  wire [7:0] f_ar_len;
  wire f_r_valid;
  wire f_r_ready;
  wire [527:0] f_cmd;
  wire f_load_valid;
  wire f_load_ready;
  wire f_compute_valid;
  wire f_compute_ready;
  wire f_store_valid;
  wire f_store_ready;
  wire f_ended;
  wire f_err_valid;
  wire [3:0] f_err_cause;
  wire [ADDR_W-1:0] f_err_addr;
  wire [15:0] f_err_cmd;
  wire f_quiet;

  npu_fetch #(
      .N(N),
      .ADDR_W(ADDR_W),
      .ACC_DEPTH(ACC_DEPTH)
  ) u_fetch (
      .clk(clk),
      .rst_n(core_rst_n),
      .halt(halt),
      .start(go),
      .prog_base(prog_base),
      .prog_len(prog_len),
      .ar_valid(f_ar_valid),
      .ar_ready(f_ar_ready),
      .ar_addr(f_ar_addr),
      .ar_len(f_ar_len),
      .r_valid(f_r_valid),
      .r_ready(f_r_ready),
      .r_data(m_axi_rdata),
      .r_resp(m_axi_rresp),
      .r_last(m_axi_rlast),
      .load_valid(f_load_valid),
      .load_ready(f_load_ready),
      .compute_valid(f_compute_valid),
      .compute_ready(f_compute_ready),
      .store_valid(f_store_valid),
      .store_ready(f_store_ready),
      .cmd_data(f_cmd),
      .ended(f_ended),
      .err_valid(f_err_valid),
      .err_cause(f_err_cause),
      .err_addr(f_err_addr),
      .err_cmd(f_err_cmd),
      .quiet(f_quiet)
  );

  wire lq_valid;
  wire lq_ready;
  wire [527:0] lq_cmd;
  wire cq_valid;
  wire cq_ready;
  wire [527:0] cq_cmd;
  wire sq_valid;
  wire sq_ready;
  wire [527:0] sq_cmd;
  wire [3:0] unused_lq_level;
  wire [3:0] unused_cq_level;
  wire [3:0] unused_sq_level;

  npu_fifo #(
      .W(528),
      .LOG_D(3)
  ) u_load_queue (
      .clk(clk),
      .rst_n(core_rst_n),
      .in_valid(f_load_valid),
      .in_ready(f_load_ready),
      .in_data(f_cmd),
      .out_valid(lq_valid),
      .out_ready(lq_ready),
      .out_data(lq_cmd),
      .level(unused_lq_level)
  );

  npu_fifo #(
      .W(528),
      .LOG_D(3)
  ) u_compute_queue (
      .clk(clk),
      .rst_n(core_rst_n),
      .in_valid(f_compute_valid),
      .in_ready(f_compute_ready),
      .in_data(f_cmd),
      .out_valid(cq_valid),
      .out_ready(cq_ready),
      .out_data(cq_cmd),
      .level(unused_cq_level)
  );

  npu_fifo #(
      .W(528),
      .LOG_D(3)
  ) u_store_queue (
      .clk(clk),
      .rst_n(core_rst_n),
      .in_valid(f_store_valid),
      .in_ready(f_store_ready),
      .in_data(f_cmd),
      .out_valid(sq_valid),
      .out_ready(sq_ready),
      .out_data(sq_cmd),
      .level(unused_sq_level)
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
  wire [7:0] l_stamp_layer;
  wire l_err_valid;
  wire l_err_decerr;
  wire [ADDR_W-1:0] l_err_addr;
  wire [15:0] l_err_cmd;
  wire l_idle;
  wire l_quiet;
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
      .wait_compute_valid(cl_out_valid),
      .wait_compute_ready(cl_out_ready),
      .wait_store_valid(sl_out_valid),
      .wait_store_ready(sl_out_ready),
      .sig_compute_valid(lc_in_valid),
      .sig_compute_ready(lc_in_ready),
      .stamp_valid(l_stamp_valid),
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
      .err_addr(l_err_addr),
      .err_cmd(l_err_cmd),
      .idle(l_idle),
      .quiet(l_quiet),
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

  wire conv_valid;
  wire conv_ready;
  wire conv_idle;
  wire pool_valid;
  wire pool_ready;
  wire pool_idle;
  wire [511:0] unit_cmd;
  wire c_stat_wait;

  npu_compute u_compute (
      .cmd_valid(cq_valid),
      .cmd_ready(cq_ready),
      .cmd_data(cq_cmd),
      .wait_load_valid(lc_out_valid),
      .wait_load_ready(lc_out_ready),
      .conv_valid(conv_valid),
      .conv_ready(conv_ready),
      .conv_idle(conv_idle),
      .pool_valid(pool_valid),
      .pool_ready(pool_ready),
      .pool_idle(pool_idle),
      .unit_cmd(unit_cmd),
      .stat_wait(c_stat_wait)
  );

  // The two units never read in the same cycle: npu_compute gives them turns.
  wire conv_act_en;
  wire [15:0] conv_act_addr;
  wire pool_act_en;
  wire [15:0] pool_act_addr;
  wire [15:0] act_addr = pool_act_en ? pool_act_addr : conv_act_addr;
  wire [8*N-1:0] act_data;
  wire wgt_en;
  wire [15:0] wgt_addr;
  wire [8*N-1:0] wgt_data;
  wire par_en;
  wire [15:0] par_addr;
  wire [8*N-1:0] par_data;
  wire out_wr_en;
  wire [15:0] out_wr_addr;
  wire [8*N-1:0] out_wr_data;
  wire out_rd_en;
  wire [15:0] out_rd_addr;
  wire [8*N-1:0] out_rd_data;

  npu_buffer #(
      .W(8 * N),
      .LOG_D(LOG_ACT)
  ) u_act_buffer (
      .clk(clk),
      .wr_en(l_wr_en && l_wr_dest == DEST_ACT),
      .wr_addr(l_wr_addr[LOG_ACT-1:0]),
      .wr_data(l_wr_data),
      .rd_en(conv_act_en || pool_act_en),
      .rd_addr(act_addr[LOG_ACT-1:0]),
      .rd_data(act_data)
  );

  npu_buffer #(
      .W(8 * N),
      .LOG_D(LOG_WGT)
  ) u_wgt_buffer (
      .clk(clk),
      .wr_en(l_wr_en && l_wr_dest == DEST_WGT),
      .wr_addr(l_wr_addr[LOG_WGT-1:0]),
      .wr_data(l_wr_data),
      .rd_en(wgt_en),
      .rd_addr(wgt_addr[LOG_WGT-1:0]),
      .rd_data(wgt_data)
  );

  npu_buffer #(
      .W(8 * N),
      .LOG_D(LOG_PAR)
  ) u_par_buffer (
      .clk(clk),
      .wr_en(l_wr_en && l_wr_dest == DEST_PAR),
      .wr_addr(l_wr_addr[LOG_PAR-1:0]),
      .wr_data(l_wr_data),
      .rd_en(par_en),
      .rd_addr(par_addr[LOG_PAR-1:0]),
      .rd_data(par_data)
  );

  wire res_en;
  wire [15:0] res_addr;
  wire [8*N-1:0] res_data;

  npu_buffer #(
      .W(8 * N),
      .LOG_D(LOG_RES)
  ) u_res_buffer (
      .clk(clk),
      .wr_en(l_wr_en && l_wr_dest == DEST_RES),
      .wr_addr(l_wr_addr[LOG_RES-1:0]),
      .wr_data(l_wr_data),
      .rd_en(res_en),
      .rd_addr(res_addr[LOG_RES-1:0]),
      .rd_data(res_data)
  );

  wire conv_desc_valid;
  wire [172:0] conv_desc_data;
  wire pool_desc_valid;
  wire [172:0] pool_desc_data;
  wire desc_ready;
  wire conv_sig_load;
  wire pool_sig_load;
  wire [1:0] bank_full;
  wire drain_en;
  wire drain_bank;
  wire [LOG_DEPTH-1:0] drain_pixel;
  wire [32*N-1:0] drain_data;
  wire drain_release;
  wire conv_stat_weights;
  wire conv_stat_acc;

  assign cl_in_valid = conv_sig_load || pool_sig_load;

  npu_conv #(
      .N(N),
      .LOG_DEPTH(LOG_DEPTH)
  ) u_conv (
      .clk(clk),
      .rst_n(core_rst_n),
      .cmd_valid(conv_valid),
      .cmd_ready(conv_ready),
      .cmd_data(unit_cmd),
      .act_en(conv_act_en),
      .act_addr(conv_act_addr),
      .act_data(act_data),
      .wgt_en(wgt_en),
      .wgt_addr(wgt_addr),
      .wgt_data(wgt_data),
      .desc_valid(conv_desc_valid),
      .desc_ready(desc_ready),
      .desc_data(conv_desc_data),
      .bank_full(bank_full),
      .drain_en(drain_en),
      .drain_bank(drain_bank),
      .drain_pixel(drain_pixel),
      .drain_data(drain_data),
      .drain_release(drain_release),
      .sig_load_valid(conv_sig_load),
      .sig_load_ready(cl_in_ready),
      .idle(conv_idle),
      .stat_weights(conv_stat_weights),
      .stat_acc(conv_stat_acc)
  );

  wire pool_out_valid;
  wire pool_out_ready;
  wire [32*N-1:0] pool_out_data;

  npu_pool #(
      .N(N)
  ) u_pool (
      .clk(clk),
      .rst_n(core_rst_n),
      .cmd_valid(pool_valid),
      .cmd_ready(pool_ready),
      .cmd_data(unit_cmd),
      .act_en(pool_act_en),
      .act_addr(pool_act_addr),
      .act_data(act_data),
      .desc_valid(pool_desc_valid),
      .desc_ready(desc_ready),
      .desc_data(pool_desc_data),
      .out_valid(pool_out_valid),
      .out_ready(pool_out_ready),
      .out_data(pool_out_data),
      .sig_load_valid(pool_sig_load),
      .sig_load_ready(cl_in_ready),
      .idle(pool_idle)
  );

  wire p_stamp_valid;
  wire [7:0] p_stamp_layer;
  wire p_idle;
  wire p_stat_wait;

  npu_post #(
      .N(N),
      .LOG_DEPTH(LOG_DEPTH)
  ) u_post (
      .clk(clk),
      .rst_n(core_rst_n),
      .desc_valid(conv_desc_valid || pool_desc_valid),
      .desc_ready(desc_ready),
      .desc_data(pool_desc_valid ? pool_desc_data : conv_desc_data),
      .bank_full(bank_full),
      .drain_en(drain_en),
      .drain_bank(drain_bank),
      .drain_pixel(drain_pixel),
      .drain_data(drain_data),
      .drain_release(drain_release),
      .pool_valid(pool_out_valid),
      .pool_ready(pool_out_ready),
      .pool_data(pool_out_data),
      .par_en(par_en),
      .par_addr(par_addr),
      .par_data(par_data),
      .res_en(res_en),
      .res_addr(res_addr),
      .res_data(res_data),
      .tab_wr_en(l_wr_en && l_wr_dest == DEST_TAB),
      .tab_wr_addr(l_wr_addr),
      .tab_wr_data(l_wr_data),
      .wait_store_valid(sc_out_valid),
      .wait_store_ready(sc_out_ready),
      .sig_store_valid(cs_in_valid),
      .sig_store_ready(cs_in_ready),
      .stamp_valid(p_stamp_valid),
      .stamp_layer(p_stamp_layer),
      .out_en(out_wr_en),
      .out_addr(out_wr_addr),
      .out_data(out_wr_data),
      .idle(p_idle),
      .stat_wait(p_stat_wait)
  );

  // ---------------------------------------------------------------- store

  wire s_stamp_valid;
  wire [7:0] s_stamp_layer;
  wire s_err_valid;
  wire s_err_decerr;
  wire [ADDR_W-1:0] s_err_addr;
  wire [15:0] s_err_cmd;
  wire s_idle;
  wire s_quiet;
  wire s_stat_wait;

  npu_buffer #(
      .W(8 * N),
      .LOG_D(LOG_OUT)
  ) u_out_buffer (
      .clk(clk),
      .wr_en(out_wr_en),
      .wr_addr(out_wr_addr[LOG_OUT-1:0]),
      .wr_data(out_wr_data),
      .rd_en(out_rd_en),
      .rd_addr(out_rd_addr[LOG_OUT-1:0]),
      .rd_data(out_rd_data)
  );

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
      .err_addr(s_err_addr),
      .err_cmd(s_err_cmd),
      .idle(s_idle),
      .quiet(s_quiet),
      .stat_wait(s_stat_wait)
  );

  assign m_axi_awid = ID_STORE;
  assign m_axi_awsize = SIZE;
  assign m_axi_awburst = 2'b01;
  assign m_axi_wstrb = {N{1'b1}};

  // ---------------------------------------------------------------- control and counters

  wire read_beat = m_axi_rvalid && m_axi_rready;
  wire write_beat = m_axi_wvalid && m_axi_wready;
  wire read_burst = m_axi_arvalid && m_axi_arready;
  wire write_burst = m_axi_awvalid && m_axi_awready;
  wire write_response = m_axi_bvalid && m_axi_bready;
  wire bus_moves = read_beat || write_beat || read_burst || write_burst || write_response;

  npu_control #(
      .ADDR_W(ADDR_W)
  ) u_control (
      .clk(clk),
      .rst_n(rst_n),
      .start(start),
      .stop(stop),
      .watchdog_limit(watchdog_limit),
      .busy(busy),
      .go(go),
      .halt(halt),
      .core_rst_n(core_rst_n),
      .ended(f_ended),
      .idle(!lq_valid && l_idle && !cq_valid && conv_idle && pool_idle && p_idle && !sq_valid && s_idle),
      .quiet(f_quiet && l_quiet && s_quiet),
      .progress(bus_moves || l_wr_en || conv_act_en || pool_act_en || out_wr_en),
      .fetch_err_valid(f_err_valid),
      .fetch_err_cause(f_err_cause),
      .fetch_err_addr(f_err_addr),
      .fetch_err_cmd(f_err_cmd),
      .load_err_valid(l_err_valid),
      .load_err_decerr(l_err_decerr),
      .load_err_addr(l_err_addr),
      .load_err_cmd(l_err_cmd),
      .store_err_valid(s_err_valid),
      .store_err_decerr(s_err_decerr),
      .store_err_addr(s_err_addr),
      .store_err_cmd(s_err_cmd),
      .err_cause(err_cause),
      .err_addr(err_addr),
      .err_id(err_id),
      .err_cmd(err_cmd),
      .done_event(done_event),
      .error_event(error_event)
  );

  npu_counters #(
      .N(N)
  ) u_counters (
      .clk(clk),
      .rst_n(rst_n),
      .clear(go),
      .busy(busy),
      .events({
        s_stat_wait,
        l_stat_wait,
        p_stat_wait,
        conv_stat_acc,
        conv_stat_weights,
        c_stat_wait,
        pool_act_en,
        conv_act_en
      }),
      .read_beat(read_beat),
      .write_beat(write_beat),
      .read_burst(read_burst),
      .write_burst(write_burst),
      .load_stamp_valid(l_stamp_valid),
      .load_stamp_layer(l_stamp_layer),
      .post_stamp_valid(p_stamp_valid),
      .post_stamp_layer(p_stamp_layer),
      .store_stamp_valid(s_stamp_valid),
      .store_stamp_layer(s_stamp_layer),
      .rd_en(count_rd_en),
      .rd_stamp(count_rd_stamp),
      .rd_index(count_rd_index),
      .rd_data(count_rd_data)
  );

  // One write manager: the ID of a response says nothing new. Buffer addresses wrap at the buffer's size.
  wire unused = &{1'b0, m_axi_bid, act_addr, wgt_addr, par_addr, res_addr, out_wr_addr, out_rd_addr};

endmodule

`default_nettype wire
