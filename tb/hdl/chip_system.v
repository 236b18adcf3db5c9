// chip_system.v : the core, its memory, its clock and what carries the host's accesses to its registers
//
// What chip_bench.v and chip_raw.v have in common. The first looks at the bus and into the core by their
// paths below this module.
`default_nettype none

module chip_system #(
    parameter integer N = 16,
    parameter integer ACT_WORDS = 8192,
    parameter integer WGT_WORDS = 8192,
    parameter integer OUT_WORDS = 4096,
    parameter integer PAR_WORDS = 1024,
    parameter integer RES_WORDS = 4096,
    parameter integer ACC_DEPTH = 256,
    parameter integer LINE_WORDS = 256,
    parameter integer MAX_BURST = 64,
    parameter integer OUTSTANDING = 8,
    parameter integer MEM_WORDS = 1048576,
    // Files of axi_memory; without a name there is no log, no reload.
    parameter [8*256-1:0] LOG = 0,
    parameter [8*256-1:0] LOAD = 0
) (
    output reg         clk,
    input  wire        rst_n,
    // Host accesses: see axi_lite_host.
    input  wire        host_request,
    input  wire        host_write,
    input  wire [13:0] host_addr,
    input  wire [31:0] host_data,
    output wire        host_reply,
    output wire [31:0] host_reply_data,
    output wire [ 1:0] host_reply_resp,
    output wire        irq,
    // The memory's log and reload: see axi_memory.
    input  wire        flush,
    output wire        flushed,
    input  wire        load_req,
    input  wire [31:0] load_word,
    output wire        load_done
);

  initial clk = 1'b0;

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
      .LINE_WORDS(LINE_WORDS),
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

  wire dump_done;

  axi_memory #(
      .DATA_W(8 * N),
      .MEM_WORDS(MEM_WORDS),
      .LOG(LOG),
      .LOAD(LOAD)
  ) u_memory (
      .clk(clk),
      .rst_n(rst_n),
      .flush(flush),
      .flushed(flushed),
      .load_req(load_req),
      .load_word(load_word),
      .load_done(load_done),
      .dump_req(1'b0),
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

  // What the memory does not look at, and what nobody asks it for.
  wire unused = &{m_axi_arsize, m_axi_arburst, m_axi_awsize, m_axi_awburst, m_axi_wlast, dump_done};

endmodule

`default_nettype wire
