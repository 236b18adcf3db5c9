// npu_csr.v : the AXI4-Lite registers (npu.rdl, docs/registers.md)
//
// One write and one read at a time; address and data of a write may come in either order. A hole, and a write to
// a read-only register, answer SLVERR and change nothing.
`default_nettype none

module npu_csr #(
    parameter integer N = 16,
    parameter integer LOG_ACT = 13,
    parameter integer LOG_WGT = 13,
    parameter integer LOG_OUT = 12,
    parameter integer LOG_PAR = 10,
    parameter integer LOG_RES = 12,
    parameter integer LOG_DEPTH = 8,
    parameter integer LOG_LINE = 8,
    parameter integer LOG_BURST = 6
) (
    input  wire        clk,
    input  wire        rst_n,
    input  wire [13:0] s_axi_awaddr,
    input  wire        s_axi_awvalid,
    output wire        s_axi_awready,
    input  wire [31:0] s_axi_wdata,
    input  wire [ 3:0] s_axi_wstrb,
    input  wire        s_axi_wvalid,
    output wire        s_axi_wready,
    output reg  [ 1:0] s_axi_bresp,
    output reg         s_axi_bvalid,
    input  wire        s_axi_bready,
    input  wire [13:0] s_axi_araddr,
    input  wire        s_axi_arvalid,
    output wire        s_axi_arready,
    output wire [31:0] s_axi_rdata,
    output reg  [ 1:0] s_axi_rresp,
    output reg         s_axi_rvalid,
    input  wire        s_axi_rready,
    output wire        irq,
    output wire        start,             // one cycle
    output wire        stop,              // one cycle
    output wire [31:0] prog_base,
    output reg  [15:0] prog_len,
    output reg  [31:0] watchdog_limit,
    // Pages that a program may touch: npu_page_window.v.
    output wire [31:0] read_base,
    output wire [31:0] read_limit,
    output wire [31:0] write_base,
    output wire [31:0] write_limit,
    input  wire        busy,
    input  wire        done_event,
    input  wire        error_event,
    input  wire [ 3:0] err_cause,
    input  wire [31:0] err_addr,
    input  wire [ 3:0] err_id,
    input  wire [15:0] err_cmd,
    // Counters, stamps and accounts of layers; data one cycle after count_rd_en.
    output wire        count_rd_en,
    output wire        count_rd_stamp,
    output wire        count_rd_account,
    output wire [10:0] count_rd_index,
    input  wire [31:0] count_rd_data
);

  localparam [1:0] RESP_OKAY = 2'b00;
  localparam [1:0] RESP_SLVERR = 2'b10;
  // Word addresses.
  localparam [11:0] A_ID = 12'h000;
  localparam [11:0] A_VERSION = 12'h001;
  localparam [11:0] A_CONFIG = 12'h002;
  localparam [11:0] A_BUFFERS = 12'h003;
  localparam [11:0] A_CTRL = 12'h004;
  localparam [11:0] A_STATUS = 12'h005;
  localparam [11:0] A_IRQ_ENABLE = 12'h006;
  localparam [11:0] A_IRQ_STATUS = 12'h007;
  localparam [11:0] A_PROG_BASE = 12'h008;
  localparam [11:0] A_PROG_LEN = 12'h009;
  localparam [11:0] A_WATCHDOG = 12'h00A;
  localparam [11:0] A_LINE = 12'h00B;
  localparam [11:0] A_ERR_CAUSE = 12'h00C;
  localparam [11:0] A_ERR_ADDR = 12'h00D;
  localparam [11:0] A_ERR_ID = 12'h00E;
  localparam [11:0] A_ERR_CMD = 12'h00F;
  localparam [11:0] A_COUNTERS = 12'h010;
  localparam [11:0] A_COUNTERS_END = 12'h01F;
  localparam [11:0] A_READ_BASE = 12'h020;
  localparam [11:0] A_READ_LIMIT = 12'h021;
  localparam [11:0] A_WRITE_BASE = 12'h022;
  localparam [11:0] A_WRITE_LIMIT = 12'h023;
  localparam [11:0] A_STAMPS = 12'h100;

  localparam [31:0] ID = 32'h4153_4159;
  localparam [31:0] VERSION = 32'h0001_0000;
  localparam [7:0] CFG_N = N[7:0];
  localparam [7:0] CFG_DEPTH = LOG_DEPTH[7:0];
  localparam [7:0] CFG_LINE = LOG_LINE[7:0];
  localparam [7:0] CFG_BURST = LOG_BURST[7:0];
  localparam [7:0] CFG_ACT = LOG_ACT[7:0];
  localparam [7:0] CFG_WGT = LOG_WGT[7:0];
  localparam [7:0] CFG_OUT = LOG_OUT[7:0];
  localparam [7:0] CFG_PAR = LOG_PAR[7:0];
  localparam [7:0] CFG_RES = LOG_RES[7:0];

  reg done;
  reg error;
  reg [1:0] irq_enable;
  reg [1:0] irq_status;
  reg [25:0] prog_page;
  reg [19:0] read_first;
  reg [19:0] read_last;
  reg [19:0] write_first;
  reg [19:0] write_last;

  assign prog_base = {prog_page, 6'd0};
  assign read_base = {read_first, 12'd0};
  assign read_limit = {read_last, 12'd0};
  assign write_base = {write_first, 12'd0};
  assign write_limit = {write_last, 12'd0};
  assign irq = (irq_status & irq_enable) != 2'd0;

  // ---------------------------------------------------------------- writes

  reg aw_held;
  reg w_held;
  reg [11:0] aw_word;
  reg [31:0] w_data;
  reg [3:0] w_strb;

  assign s_axi_awready = !aw_held;
  assign s_axi_wready  = !w_held;

  wire write = aw_held && w_held && !s_axi_bvalid;
  wire [31:0] mask = {{8{w_strb[3]}}, {8{w_strb[2]}}, {8{w_strb[1]}}, {8{w_strb[0]}}};
  wire [31:0] data = w_data & mask;

  wire is_ctrl = aw_word == A_CTRL;
  wire is_window = aw_word == A_READ_BASE || aw_word == A_READ_LIMIT || aw_word == A_WRITE_BASE ||
      aw_word == A_WRITE_LIMIT;
  wire writable = is_ctrl || aw_word == A_IRQ_ENABLE || aw_word == A_IRQ_STATUS ||
      aw_word == A_PROG_BASE || aw_word == A_PROG_LEN || aw_word == A_WATCHDOG || is_window;
  // A start that comes too early is refused, so that its sender knows.
  wire refused = is_ctrl && data[0] && busy;

  assign start = write && is_ctrl && data[0] && !busy;
  assign stop  = write && is_ctrl && data[1] && !refused;

  wire [31:0] base_next = (prog_base & ~mask) | data;
  wire [31:0] len_next = ({16'd0, prog_len} & ~mask) | data;
  wire [19:0] read_first_next = (read_first & ~mask[31:12]) | data[31:12];
  wire [19:0] read_last_next = (read_last & ~mask[31:12]) | data[31:12];
  wire [19:0] write_first_next = (write_first & ~mask[31:12]) | data[31:12];
  wire [19:0] write_last_next = (write_last & ~mask[31:12]) | data[31:12];

  always @(posedge clk) begin
    if (!rst_n) begin
      aw_held <= 1'b0;
      w_held <= 1'b0;
      s_axi_bvalid <= 1'b0;
    end else begin
      if (s_axi_awvalid && s_axi_awready) aw_held <= 1'b1;
      else if (write) aw_held <= 1'b0;
      if (s_axi_wvalid && s_axi_wready) w_held <= 1'b1;
      else if (write) w_held <= 1'b0;
      if (write) s_axi_bvalid <= 1'b1;
      else if (s_axi_bready) s_axi_bvalid <= 1'b0;
    end
  end

  always @(posedge clk) begin
    if (s_axi_awvalid && s_axi_awready) aw_word <= s_axi_awaddr[13:2];
    if (s_axi_wvalid && s_axi_wready) begin
      w_data <= s_axi_wdata;
      w_strb <= s_axi_wstrb;
    end
    if (write) s_axi_bresp <= (writable && !refused) ? RESP_OKAY : RESP_SLVERR;
  end

  always @(posedge clk) begin
    if (!rst_n) begin
      irq_enable <= 2'd0;
      prog_page <= 26'd0;
      prog_len <= 16'd0;
      watchdog_limit <= 32'h0010_0000;
      read_first <= 20'd0;
      read_last <= ~20'd0;
      write_first <= 20'd0;
      write_last <= ~20'd0;
    end else if (write) begin
      if (aw_word == A_IRQ_ENABLE && w_strb[0]) irq_enable <= data[1:0];
      if (aw_word == A_PROG_BASE) prog_page <= base_next[31:6];
      if (aw_word == A_PROG_LEN) prog_len <= len_next[15:0];
      if (aw_word == A_WATCHDOG) watchdog_limit <= (watchdog_limit & ~mask) | data;
      if (aw_word == A_READ_BASE) read_first <= read_first_next;
      if (aw_word == A_READ_LIMIT) read_last <= read_last_next;
      if (aw_word == A_WRITE_BASE) write_first <= write_first_next;
      if (aw_word == A_WRITE_LIMIT) write_last <= write_last_next;
    end
  end

  // An event in the cycle of a clear wins: nothing that happened is lost.
  wire [1:0] irq_clear = (write && aw_word == A_IRQ_STATUS) ? data[1:0] : 2'd0;

  always @(posedge clk) begin
    if (!rst_n) begin
      done <= 1'b0;
      error <= 1'b0;
      irq_status <= 2'd0;
    end else begin
      done <= (done || done_event) && !start;
      error <= (error || error_event) && !start;
      irq_status <= (irq_status & ~irq_clear) | {error_event, done_event};
    end
  end

  // ---------------------------------------------------------------- reads

  wire read = s_axi_arvalid && s_axi_arready;
  wire [11:0] ar_word = s_axi_araddr[13:2];
  wire is_stamp = ar_word[11:8] == A_STAMPS[11:8];
  wire is_account = ar_word[11];
  wire is_count = ar_word >= A_COUNTERS && ar_word < A_COUNTERS_END;
  wire counted = is_count || is_stamp || is_account;
  wire [10:0] counter = ar_word[10:0] - A_COUNTERS[10:0];
  reg from_counters;
  reg [31:0] value;
  reg [31:0] rd_value;
  reg exists;

  assign s_axi_arready = !s_axi_rvalid;
  assign count_rd_en = read;
  assign count_rd_stamp = is_stamp;
  assign count_rd_account = is_account;
  assign count_rd_index = is_account ? ar_word[10:0] : is_stamp ? {ar_word[7:0], 3'd0} : counter;
  assign s_axi_rdata = from_counters ? count_rd_data : rd_value;

  always @* begin
    exists = 1'b1;
    value  = 32'd0;
    case (ar_word)
      A_ID: value = ID;
      A_VERSION: value = VERSION;
      A_CONFIG: value = {CFG_RES, CFG_BURST, CFG_DEPTH, CFG_N};
      A_BUFFERS: value = {CFG_PAR, CFG_OUT, CFG_WGT, CFG_ACT};
      A_CTRL: value = 32'd0;
      A_STATUS: value = {29'd0, error, done, busy};
      A_IRQ_ENABLE: value = {30'd0, irq_enable};
      A_IRQ_STATUS: value = {30'd0, irq_status};
      A_PROG_BASE: value = prog_base;
      A_PROG_LEN: value = {16'd0, prog_len};
      A_WATCHDOG: value = watchdog_limit;
      A_LINE: value = {24'd0, CFG_LINE};
      A_READ_BASE: value = read_base;
      A_READ_LIMIT: value = read_limit;
      A_WRITE_BASE: value = write_base;
      A_WRITE_LIMIT: value = write_limit;
      A_ERR_CAUSE: value = {28'd0, err_cause};
      A_ERR_ADDR: value = err_addr;
      A_ERR_ID: value = {28'd0, err_id};
      A_ERR_CMD: value = {16'd0, err_cmd};
      default: exists = counted;
    endcase
  end

  always @(posedge clk) begin
    if (!rst_n) s_axi_rvalid <= 1'b0;
    else if (read) s_axi_rvalid <= 1'b1;
    else if (s_axi_rready) s_axi_rvalid <= 1'b0;
  end

  always @(posedge clk) begin
    if (read) begin
      from_counters <= counted;
      rd_value <= value;
      s_axi_rresp <= exists ? RESP_OKAY : RESP_SLVERR;
    end
  end

  wire unused = &{1'b0, s_axi_awaddr[1:0], s_axi_araddr[1:0], len_next[31:16], base_next[5:0]};

endmodule

`default_nettype wire
