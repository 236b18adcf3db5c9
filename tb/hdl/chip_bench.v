// chip_bench.v : the chip for Python: its system, with protocol rules and a log of its units
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
    parameter integer LINE_WORDS = 256,
    parameter integer MAX_BURST = 64,
    parameter integer OUTSTANDING = 8,
    parameter integer MEM_WORDS = 1048576
);

  wire clk;
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
  // The memory's log and reload: see axi_memory. The files lie where the simulation runs.
  reg flush;
  wire flushed;
  reg load_req;
  reg [31:0] load_word;
  wire load_done;
  // Cycles between two records of unit_log, a power of two; 0 for none.
  reg [31:0] sample;

  initial begin
    rst_n = 1'b0;
    host_request = 1'b0;
    host_write = 1'b0;
    host_addr = 14'd0;
    host_data = 32'd0;
    flush = 1'b0;
    load_req = 1'b0;
    load_word = 32'd0;
    sample = 32'd0;
  end

  chip_system #(
      .N(N),
      .ACT_WORDS(ACT_WORDS),
      .WGT_WORDS(WGT_WORDS),
      .OUT_WORDS(OUT_WORDS),
      .PAR_WORDS(PAR_WORDS),
      .RES_WORDS(RES_WORDS),
      .ACC_DEPTH(ACC_DEPTH),
      .LINE_WORDS(LINE_WORDS),
      .MAX_BURST(MAX_BURST),
      .OUTSTANDING(OUTSTANDING),
      .MEM_WORDS(MEM_WORDS),
      .LOG("axi"),
      .LOAD("load.bin")
  ) u_system (
      .clk(clk),
      .rst_n(rst_n),
      .host_request(host_request),
      .host_write(host_write),
      .host_addr(host_addr),
      .host_data(host_data),
      .host_reply(host_reply),
      .host_reply_data(host_reply_data),
      .host_reply_resp(host_reply_resp),
      .irq(irq),
      .flush(flush),
      .flushed(flushed),
      .load_req(load_req),
      .load_word(load_word),
      .load_done(load_done)
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
      .arvalid(u_system.m_axi_arvalid),
      .arready(u_system.m_axi_arready),
      .arid(u_system.m_axi_arid),
      .araddr(u_system.m_axi_araddr),
      .arlen(u_system.m_axi_arlen),
      .arsize(u_system.m_axi_arsize),
      .arburst(u_system.m_axi_arburst),
      .rvalid(u_system.m_axi_rvalid),
      .rready(u_system.m_axi_rready),
      .rlast(u_system.m_axi_rlast),
      .awvalid(u_system.m_axi_awvalid),
      .awready(u_system.m_axi_awready),
      .awid(u_system.m_axi_awid),
      .awaddr(u_system.m_axi_awaddr),
      .awlen(u_system.m_axi_awlen),
      .awsize(u_system.m_axi_awsize),
      .awburst(u_system.m_axi_awburst),
      .wvalid(u_system.m_axi_wvalid),
      .wready(u_system.m_axi_wready),
      .wdata(u_system.m_axi_wdata),
      .wstrb(u_system.m_axi_wstrb),
      .wlast(u_system.m_axi_wlast),
      .bvalid(u_system.m_axi_bvalid),
      .bready(u_system.m_axi_bready),
      .rule(axi_rule),
      .rule_cycle(axi_rule_cycle),
      .busy(axi_busy)
  );

  unit_log #(
      .LOG("units.log")
  ) u_units (
      .clk(clk),
      .window(sample),
      .busy(u_system.u_npu.u_host.busy),
      .memory_cycle(u_system.u_memory.cycle),
      .counters({
        u_system.u_npu.u_host.u_counters.count[14],
        u_system.u_npu.u_host.u_counters.count[13],
        u_system.u_npu.u_host.u_counters.count[12],
        u_system.u_npu.u_host.u_counters.count[11],
        u_system.u_npu.u_host.u_counters.count[10],
        u_system.u_npu.u_host.u_counters.count[9],
        u_system.u_npu.u_host.u_counters.count[8],
        u_system.u_npu.u_host.u_counters.count[7],
        u_system.u_npu.u_host.u_counters.count[6],
        u_system.u_npu.u_host.u_counters.count[5],
        u_system.u_npu.u_host.u_counters.count[4],
        u_system.u_npu.u_host.u_counters.count[3],
        u_system.u_npu.u_host.u_counters.count[2],
        u_system.u_npu.u_host.u_counters.count[1],
        u_system.u_npu.u_host.u_counters.count[0]
      }),
      .post_word(u_system.u_npu.u_engines.u_datapath.out_wr_en),
      .post_waits(u_system.u_npu.u_engines.room_missing),
      .stamp_valid(u_system.u_npu.s_stamp_valid),
      .stamp_layer(u_system.u_npu.s_stamp_layer)
  );

endmodule

`default_nettype wire
