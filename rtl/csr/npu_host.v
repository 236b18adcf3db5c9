// npu_host.v : the host's side of the core: registers, start and end of a program, counters
//
// Wires only. Everything here keeps its state when the rest of the core is cleared.
`default_nettype none

module npu_host #(
    parameter integer N = 16,
    parameter integer ADDR_W = 32,
    parameter integer LOG_ACT = 13,
    parameter integer LOG_WGT = 13,
    parameter integer LOG_OUT = 12,
    parameter integer LOG_PAR = 10,
    parameter integer LOG_RES = 12,
    parameter integer LOG_DEPTH = 8,
    parameter integer LOG_LINE = 8,
    parameter integer LOG_BURST = 6
) (
    input wire clk,
    input wire rst_n,
    input wire [13:0] s_axi_awaddr,
    input wire s_axi_awvalid,
    output wire s_axi_awready,
    input wire [31:0] s_axi_wdata,
    input wire [3:0] s_axi_wstrb,
    input wire s_axi_wvalid,
    output wire s_axi_wready,
    output wire [1:0] s_axi_bresp,
    output wire s_axi_bvalid,
    input wire s_axi_bready,
    input wire [13:0] s_axi_araddr,
    input wire s_axi_arvalid,
    output wire s_axi_arready,
    output wire [31:0] s_axi_rdata,
    output wire [1:0] s_axi_rresp,
    output wire s_axi_rvalid,
    input wire s_axi_rready,
    output wire irq,
    // To the engines.
    output wire core_rst_n,
    output wire go,  // one cycle
    output wire halt,
    output wire [31:0] prog_base,
    output wire [15:0] prog_len,
    output wire [31:0] read_base,
    output wire [31:0] read_limit,
    output wire [31:0] write_base,
    output wire [31:0] write_limit,
    // A program's end, and its errors: npu_control.v.
    input wire ended,
    input wire idle,
    input wire quiet,
    input wire progress,
    input wire fetch_err_valid,
    input wire [3:0] fetch_err_cause,
    input wire [ADDR_W-1:0] fetch_err_addr,
    input wire [15:0] fetch_err_cmd,
    input wire load_err_valid,
    input wire load_err_decerr,
    input wire load_err_window,
    input wire [ADDR_W-1:0] load_err_addr,
    input wire [15:0] load_err_cmd,
    input wire store_err_valid,
    input wire store_err_decerr,
    input wire store_err_window,
    input wire [ADDR_W-1:0] store_err_addr,
    input wire [15:0] store_err_cmd,
    // For the record of the watchdog: npu_waits.v.
    input wire [31:0] waits,
    input wire [15:0] waits_cmd,
    // What is counted, and the stamps: npu_counters.v.
    input wire [8:0] activity,  // the inputs of npu_account.v in their order, from bit 0
    input wire load_wait,
    input wire store_wait,
    input wire read_beat,
    input wire write_beat,
    input wire read_burst,
    input wire write_burst,
    input wire load_stamp_valid,
    output wire load_stamp_ready,
    input wire [7:0] load_stamp_layer,
    input wire post_stamp_valid,
    output wire post_stamp_ready,
    input wire [7:0] post_stamp_layer,
    input wire store_stamp_valid,
    input wire [7:0] store_stamp_layer
);

  wire start;
  wire stop;
  wire busy;
  wire done_event;
  wire error_event;
  wire [31:0] watchdog_limit;
  wire [3:0] err_cause;
  wire [ADDR_W-1:0] err_addr;
  wire [3:0] err_id;
  wire [15:0] err_cmd;
  wire count_rd_en;
  wire count_rd_stamp;
  wire count_rd_account;
  wire [10:0] count_rd_index;
  wire [31:0] count_rd_data;

  npu_csr #(
      .N(N),
      .LOG_ACT(LOG_ACT),
      .LOG_WGT(LOG_WGT),
      .LOG_OUT(LOG_OUT),
      .LOG_PAR(LOG_PAR),
      .LOG_RES(LOG_RES),
      .LOG_DEPTH(LOG_DEPTH),
      .LOG_LINE(LOG_LINE),
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
      .read_base(read_base),
      .read_limit(read_limit),
      .write_base(write_base),
      .write_limit(write_limit),
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
      .count_rd_account(count_rd_account),
      .count_rd_index(count_rd_index),
      .count_rd_data(count_rd_data)
  );

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
      .ended(ended),
      .idle(idle),
      .quiet(quiet),
      .progress(progress),
      .fetch_err_valid(fetch_err_valid),
      .fetch_err_cause(fetch_err_cause),
      .fetch_err_addr(fetch_err_addr),
      .fetch_err_cmd(fetch_err_cmd),
      .load_err_valid(load_err_valid),
      .load_err_decerr(load_err_decerr),
      .load_err_window(load_err_window),
      .load_err_addr(load_err_addr),
      .load_err_cmd(load_err_cmd),
      .store_err_valid(store_err_valid),
      .store_err_decerr(store_err_decerr),
      .store_err_window(store_err_window),
      .store_err_addr(store_err_addr),
      .store_err_cmd(store_err_cmd),
      .waits(waits),
      .waits_cmd(waits_cmd),
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
      .conv_reads(activity[0]),
      .pool_reads(activity[1]),
      .load_missing(activity[2]),
      .units_idle(activity[3]),
      .load_held(activity[4]),
      .weights_missing(activity[5]),
      .room_missing(activity[6]),
      .token_full(activity[7]),
      .drains(activity[8]),
      .load_wait(load_wait),
      .store_wait(store_wait),
      .read_beat(read_beat),
      .write_beat(write_beat),
      .read_burst(read_burst),
      .write_burst(write_burst),
      .load_stamp_valid(load_stamp_valid),
      .load_stamp_ready(load_stamp_ready),
      .load_stamp_layer(load_stamp_layer),
      .post_stamp_valid(post_stamp_valid),
      .post_stamp_ready(post_stamp_ready),
      .post_stamp_layer(post_stamp_layer),
      .store_stamp_valid(store_stamp_valid),
      .store_stamp_layer(store_stamp_layer),
      .rd_en(count_rd_en),
      .rd_stamp(count_rd_stamp),
      .rd_account(count_rd_account),
      .rd_index(count_rd_index),
      .rd_data(count_rd_data)
  );

endmodule

`default_nettype wire
