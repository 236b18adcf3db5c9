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
    parameter integer LINE_WORDS = 256,
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

  wire clk;
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

  // The clock is for others; the memory is never asked for these.
  wire flushed;
  wire load_done;
  wire unused = &{clk, flushed, load_done};

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
      .MEM_WORDS(MEM_WORDS)
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
      .flush(1'b0),
      .flushed(flushed),
      .load_req(1'b0),
      .load_word(32'd0),
      .load_done(load_done)
  );

endmodule

`default_nettype wire
