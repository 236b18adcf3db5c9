// chip_raw.v : one program on the core and its memory, started and judged in Verilog alone
//
// The yardstick of `make bench`: the same RTL and the same memory as chip_bench.v, with no Python, no VPI, no
// log and no protocol checks. What a checked simulation is slower than this is the price of checking.
//
// Plusargs, beside those of axi_memory.v (+image, +latency, +seed):
//   +base=<n>, +length=<n>   the program: byte address, commands
// Prints "raw start" when the program is started, "raw end <status> <cycles>" after its interrupt.
`default_nettype none

module chip_raw #(
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

  localparam [13:0] CTRL = 14'h010;
  localparam [13:0] STATUS = 14'h014;
  localparam [13:0] IRQ_ENABLE = 14'h018;
  localparam [13:0] PROG_BASE = 14'h020;
  localparam [13:0] PROG_LEN = 14'h024;
  localparam [13:0] CYCLES = 14'h040;

  reg clk;
  reg rst_n;
  reg host_request;
  reg host_write;
  reg [13:0] host_addr;
  reg [31:0] host_data;
  wire host_reply;
  wire [31:0] host_reply_data;
  wire [1:0] host_reply_resp;
  wire irq;
  reg [31:0] base;
  reg [31:0] length;
  reg [31:0] status;

  always #5 clk = !clk;

  // One register access, from start to answer.
  task access;
    input write;
    input [13:0] addr;
    input [31:0] data;
    begin
      host_write   = write;
      host_addr    = addr;
      host_data    = data;
      host_request = !host_reply;
      wait (host_reply == host_request);
      #1;
      if (host_reply_resp != 2'd0) begin
        $display("raw: register %03h answers %0d", addr, host_reply_resp);
        $finish;
      end
    end
  endtask

  initial begin
    clk = 1'b0;
    rst_n = 1'b0;
    host_request = 1'b0;
    host_write = 1'b0;
    host_addr = 14'd0;
    host_data = 32'd0;
    if (!$value$plusargs("base=%d", base)) base = 0;
    if (!$value$plusargs("length=%d", length)) length = 0;
    #42 rst_n = 1'b1;
    #20 access (1'b1, IRQ_ENABLE, 32'd3);
    access (1'b1, PROG_BASE, base);
    access (1'b1, PROG_LEN, length);
    $display("raw start");
    $fflush;
    access (1'b1, CTRL, 32'd1);
    wait (irq);
    access (1'b0, STATUS, 32'd0);
    status = host_reply_data;
    access (1'b0, CYCLES, 32'd0);
    $display("raw end %0d %0d", status, host_reply_data);
    $finish;
  end

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

  // What the memory does not look at, and its answers to what is never asked of it.
  wire flushed;
  wire load_done;
  wire dump_done;
  wire unused_axi = &{m_axi_arsize, m_axi_arburst, m_axi_awsize, m_axi_awburst, m_axi_wlast};
  wire unused_done = &{flushed, load_done, dump_done};

  axi_memory #(
      .DATA_W(8 * N),
      .MEM_WORDS(MEM_WORDS)
  ) u_memory (
      .clk(clk),
      .rst_n(rst_n),
      .flush(1'b0),
      .flushed(flushed),
      .load_req(1'b0),
      .load_word(32'd0),
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

endmodule

`default_nettype wire
