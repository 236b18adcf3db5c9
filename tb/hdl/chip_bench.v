// chip_bench.v : the core, its memory and its host, with the clock in Verilog
//
// Python is woken by host_reply, irq and the memory's answers, never by a clock edge: this is what lets a
// whole network run at nearly the speed of the bare RTL.
`default_nettype none

module chip_bench #(
    parameter integer N = 16,
    parameter integer ACT_WORDS = 8192,
    parameter integer WGT_WORDS = 8192,
    parameter integer OUT_WORDS = 4096,
    parameter integer PAR_WORDS = 1024,
    parameter integer RES_WORDS = 4096,
    parameter integer ACC_DEPTH = 256,
    parameter integer MAX_BURST = 64,
    parameter integer OUTSTANDING = 8,
    parameter integer MEM_WORDS = 1048576
);

  reg clk;
  reg rst_n;
  // Host accesses: see axi_lite_host.
  reg host_request;
  reg host_write;
  reg [13:0] host_addr;
  reg [31:0] host_data;
  wire host_reply;
  wire [31:0] host_reply_data;
  wire [1:0] host_reply_resp;
  wire irq;
  // The memory's log, reload and dump: see axi_memory. The files lie where the simulation runs.
  reg flush;
  wire flushed;
  reg load_req;
  reg [31:0] load_word;
  wire load_done;
  reg dump_req;
  wire dump_done;

  initial begin
    clk = 1'b0;
    rst_n = 1'b0;
    host_request = 1'b0;
    host_write = 1'b0;
    host_addr = 14'd0;
    host_data = 32'd0;
    flush = 1'b0;
    load_req = 1'b0;
    load_word = 32'd0;
    dump_req = 1'b0;
  end

  always #5 clk = !clk;

  wire [13:0] s_axi_awaddr;
  wire s_axi_awvalid;
  wire s_axi_awready;
  wire [31:0] s_axi_wdata;
  wire [3:0] s_axi_wstrb;
  wire s_axi_wvalid;
  wire s_axi_wready;
  wire [1:0] s_axi_bresp;
  wire s_axi_bvalid;
  wire s_axi_bready;
  wire [13:0] s_axi_araddr;
  wire s_axi_arvalid;
  wire s_axi_arready;
  wire [31:0] s_axi_rdata;
  wire [1:0] s_axi_rresp;
  wire s_axi_rvalid;
  wire s_axi_rready;
  wire [3:0] m_axi_arid;
  wire [31:0] m_axi_araddr;
  wire [7:0] m_axi_arlen;
  wire [2:0] m_axi_arsize;
  wire [1:0] m_axi_arburst;
  wire m_axi_arvalid;
  wire m_axi_arready;
  wire [3:0] m_axi_rid;
  wire [8*N-1:0] m_axi_rdata;
  wire [1:0] m_axi_rresp;
  wire m_axi_rlast;
  wire m_axi_rvalid;
  wire m_axi_rready;
  wire [3:0] m_axi_awid;
  wire [31:0] m_axi_awaddr;
  wire [7:0] m_axi_awlen;
  wire [2:0] m_axi_awsize;
  wire [1:0] m_axi_awburst;
  wire m_axi_awvalid;
  wire m_axi_awready;
  wire [8*N-1:0] m_axi_wdata;
  wire [N-1:0] m_axi_wstrb;
  wire m_axi_wlast;
  wire m_axi_wvalid;
  wire m_axi_wready;
  wire [3:0] m_axi_bid;
  wire [1:0] m_axi_bresp;
  wire m_axi_bvalid;
  wire m_axi_bready;

  axi_lite_host u_host (
      .clk(clk),
      .rst_n(rst_n),
      .request(host_request),
      .write(host_write),
      .addr(host_addr),
      .data(host_data),
      .reply(host_reply),
      .reply_data(host_reply_data),
      .reply_resp(host_reply_resp),
      .m_axi_awaddr(s_axi_awaddr),
      .m_axi_awvalid(s_axi_awvalid),
      .m_axi_awready(s_axi_awready),
      .m_axi_wdata(s_axi_wdata),
      .m_axi_wstrb(s_axi_wstrb),
      .m_axi_wvalid(s_axi_wvalid),
      .m_axi_wready(s_axi_wready),
      .m_axi_bresp(s_axi_bresp),
      .m_axi_bvalid(s_axi_bvalid),
      .m_axi_bready(s_axi_bready),
      .m_axi_araddr(s_axi_araddr),
      .m_axi_arvalid(s_axi_arvalid),
      .m_axi_arready(s_axi_arready),
      .m_axi_rdata(s_axi_rdata),
      .m_axi_rresp(s_axi_rresp),
      .m_axi_rvalid(s_axi_rvalid),
      .m_axi_rready(s_axi_rready)
  );

  npu #(
      .N(N),
      .ACT_WORDS(ACT_WORDS),
      .WGT_WORDS(WGT_WORDS),
      .OUT_WORDS(OUT_WORDS),
      .PAR_WORDS(PAR_WORDS),
      .RES_WORDS(RES_WORDS),
      .ACC_DEPTH(ACC_DEPTH),
      .MAX_BURST(MAX_BURST),
      .OUTSTANDING(OUTSTANDING)
  ) u_npu (
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
      .m_axi_rready(m_axi_rready),
      .m_axi_awid(m_axi_awid),
      .m_axi_awaddr(m_axi_awaddr),
      .m_axi_awlen(m_axi_awlen),
      .m_axi_awsize(m_axi_awsize),
      .m_axi_awburst(m_axi_awburst),
      .m_axi_awvalid(m_axi_awvalid),
      .m_axi_awready(m_axi_awready),
      .m_axi_wdata(m_axi_wdata),
      .m_axi_wstrb(m_axi_wstrb),
      .m_axi_wlast(m_axi_wlast),
      .m_axi_wvalid(m_axi_wvalid),
      .m_axi_wready(m_axi_wready),
      .m_axi_bid(m_axi_bid),
      .m_axi_bresp(m_axi_bresp),
      .m_axi_bvalid(m_axi_bvalid),
      .m_axi_bready(m_axi_bready),
      .irq(irq)
  );

  axi_memory #(
      .DATA_W(8 * N),
      .MEM_WORDS(MEM_WORDS),
      .LOG("axi"),
      .LOAD("load.bin"),
      .DUMP("dump.bin")
  ) u_memory (
      .clk(clk),
      .rst_n(rst_n),
      .flush(flush),
      .flushed(flushed),
      .load_req(load_req),
      .load_word(load_word),
      .load_done(load_done),
      .dump_req(dump_req),
      .dump_done(dump_done),
      .s_axi_arvalid(m_axi_arvalid),
      .s_axi_arready(m_axi_arready),
      .s_axi_arid(m_axi_arid),
      .s_axi_araddr(m_axi_araddr),
      .s_axi_arlen(m_axi_arlen),
      .s_axi_rvalid(m_axi_rvalid),
      .s_axi_rready(m_axi_rready),
      .s_axi_rid(m_axi_rid),
      .s_axi_rdata(m_axi_rdata),
      .s_axi_rresp(m_axi_rresp),
      .s_axi_rlast(m_axi_rlast),
      .s_axi_awvalid(m_axi_awvalid),
      .s_axi_awready(m_axi_awready),
      .s_axi_awid(m_axi_awid),
      .s_axi_awaddr(m_axi_awaddr),
      .s_axi_awlen(m_axi_awlen),
      .s_axi_wvalid(m_axi_wvalid),
      .s_axi_wready(m_axi_wready),
      .s_axi_wdata(m_axi_wdata),
      .s_axi_wstrb(m_axi_wstrb),
      .s_axi_bvalid(m_axi_bvalid),
      .s_axi_bready(m_axi_bready),
      .s_axi_bid(m_axi_bid),
      .s_axi_bresp(m_axi_bresp)
  );

  // The first protocol rule that the core broke, 0 for none; is a burst under way?
  wire [3:0] axi_rule;
  wire [31:0] axi_rule_cycle;
  wire axi_busy;

  axi_rules #(
      .DATA_W(8 * N)
  ) u_rules (
      .clk(clk),
      .rst_n(rst_n),
      .arvalid(m_axi_arvalid),
      .arready(m_axi_arready),
      .arid(m_axi_arid),
      .araddr(m_axi_araddr),
      .arlen(m_axi_arlen),
      .arsize(m_axi_arsize),
      .arburst(m_axi_arburst),
      .rvalid(m_axi_rvalid),
      .rready(m_axi_rready),
      .rlast(m_axi_rlast),
      .awvalid(m_axi_awvalid),
      .awready(m_axi_awready),
      .awid(m_axi_awid),
      .awaddr(m_axi_awaddr),
      .awlen(m_axi_awlen),
      .awsize(m_axi_awsize),
      .awburst(m_axi_awburst),
      .wvalid(m_axi_wvalid),
      .wready(m_axi_wready),
      .wdata(m_axi_wdata),
      .wstrb(m_axi_wstrb),
      .wlast(m_axi_wlast),
      .bvalid(m_axi_bvalid),
      .bready(m_axi_bready),
      .rule(axi_rule),
      .rule_cycle(axi_rule_cycle),
      .busy(axi_busy)
  );

endmodule

`default_nettype wire
