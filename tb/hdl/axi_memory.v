// axi_memory.v : the DRAM of a whole-chip simulation, with no Python in the loop
//
// Answers AXI4 beat by beat, several bursts in flight, in the order of their addresses, with seeded latency,
// stalls and faults, and logs every completed burst in files that tb/agents/memory_log.py reads. The random
// numbers are its own, so both simulators see the same cycles for the same seed.
//
// Logging is built to be cheap. Data goes to a file per direction as a plain stream of bus words, written 64
// at a time; a burst is one 32-byte record in a third file. <log> is the value of +log=:
//   <log>.bursts  8 x u32: flags, id, beats, address low, address high, cycle of the address,
//                 cycle of the last handshake, position of its first word in the data stream
//                 (flags: 0 write, 1 every strobe was set, 3:2 response)
//   <log>.reads, <log>.writes   bus words in the order of the bursts, lowest byte first
// Both simulators write %u as 32-bit words, least significant first, in the host's (little-endian) order, so
// the files hold bytes in address order.
//
// Plusargs:
//   +image=<file>    contents at address 0 and up, raw bytes; the rest is zero
//   +log=<stem>      see above; without it nothing is logged
//   +load=<file>     what a load request reads to load_word and up, raw bytes
//   +dump=<file>     where a dump request writes the memory, raw bytes
//   +seed=<n>        of latency and stalls
//   +latency=<n>     cycles from an address (read) or its last data (write) to the answer, at least 2
//   +jitter=<n>      up to n more, per burst
//   +stall=<0..256>  chance in 256 that a channel pauses for a cycle
//   +err_read=<n>, +err_write=<n>   fault on the n-th read or write since the start (0: the first)
//   +err_addr=<hex>  fault on every burst that covers this byte
//   +err_resp=<2|3>  SLVERR (default) or DECERR
// A burst beyond the memory gets DECERR. A write that gets an error changes nothing.
`default_nettype none

module axi_memory #(
    parameter integer DATA_W = 128,
    parameter integer ADDR_W = 32,
    parameter integer ID_W = 4,
    parameter integer MEM_WORDS = 65536,  // size in bus words, a power of two
    parameter integer LOG_OUTSTANDING = 4,  // log2 of the bursts in flight each way
    // Used where the plusarg of that name is missing.
    parameter [8*256-1:0] LOG = 0,
    parameter [8*256-1:0] LOAD = 0,
    parameter [8*256-1:0] DUMP = 0
) (
    input  wire                clk,
    input  wire                rst_n,
    // A change of flush writes out the log; flushed follows when that is done. Likewise load and dump. Works
    // after the first reset, also while in reset.
    input  wire                flush,
    output wire                flushed,
    input  wire                load_req,
    input  wire [        31:0] load_word,
    output wire                load_done,
    input  wire                dump_req,
    output wire                dump_done,
    input  wire                s_axi_arvalid,
    output wire                s_axi_arready,
    input  wire [    ID_W-1:0] s_axi_arid,
    input  wire [  ADDR_W-1:0] s_axi_araddr,
    input  wire [         7:0] s_axi_arlen,
    output wire                s_axi_rvalid,
    input  wire                s_axi_rready,
    output wire [    ID_W-1:0] s_axi_rid,
    output wire [  DATA_W-1:0] s_axi_rdata,
    output wire [         1:0] s_axi_rresp,
    output wire                s_axi_rlast,
    input  wire                s_axi_awvalid,
    output wire                s_axi_awready,
    input  wire [    ID_W-1:0] s_axi_awid,
    input  wire [  ADDR_W-1:0] s_axi_awaddr,
    input  wire [         7:0] s_axi_awlen,
    input  wire                s_axi_wvalid,
    output wire                s_axi_wready,
    input  wire [  DATA_W-1:0] s_axi_wdata,
    input  wire [DATA_W/8-1:0] s_axi_wstrb,
    output wire                s_axi_bvalid,
    input  wire                s_axi_bready,
    output wire [    ID_W-1:0] s_axi_bid,
    output wire [         1:0] s_axi_bresp
);

  localparam integer LOG_BYTES = $clog2(DATA_W / 8);
  localparam integer LOG_WORDS = $clog2(MEM_WORDS);
  localparam [1:0] OKAY = 2'd0;
  localparam [1:0] DECERR = 2'd3;
  localparam [8:0] ALL_BEATS = 9'h1FF;
  localparam [ADDR_W:0] MEM_BYTES = {{ADDR_W{1'b0}}, 1'b1} << (LOG_WORDS + LOG_BYTES);

  // Before the first reset the pins may be anything, and a simulator that draws them may even make an edge.
  reg awake;

  // ---------------------------------------------------------------- settings

  reg [63:0] random;
  reg [31:0] cycle;
  reg [31:0] latency;
  reg [31:0] jitter;
  reg [8:0] stall;
  // Python may change these between programs; the counts tell which index comes next.
  reg [31:0] err_read;
  reg [31:0] err_write;
  reg [ADDR_W-1:0] err_addr;
  reg err_at_addr;
  reg [1:0] err_resp;
  // Of the n-th read only this beat fails; ALL_BEATS: all of them.
  reg [8:0] err_beat;
  // Channels that stall may hold back: AR, R, AW, W, B from bit 0. A stall of 256 holds them for good.
  reg [4:0] stall_on;
  reg [31:0] read_count;
  reg [31:0] write_count;

  initial begin
    if (!$value$plusargs("seed=%d", random)) random = 64'd1;
    random = {random[31:0], ~random[31:0]} ^ 64'h9E37_79B9_7F4A_7C15;
    if (!$value$plusargs("latency=%d", latency)) latency = 2;
    if (latency < 2) latency = 2;
    if (!$value$plusargs("jitter=%d", jitter)) jitter = 0;
    if (!$value$plusargs("stall=%d", stall)) stall = 0;
    if (!$value$plusargs("err_read=%d", err_read)) err_read = ~32'd0;
    if (!$value$plusargs("err_write=%d", err_write)) err_write = ~32'd0;
    err_at_addr = $value$plusargs("err_addr=%h", err_addr) != 0;
    if (!$value$plusargs("err_resp=%d", err_resp)) err_resp = 2'd2;
    err_beat = ALL_BEATS;
    stall_on = 5'h1F;
    cycle = 0;
    read_count = 0;
    write_count = 0;
    awake = 1'b0;
  end

  // ---------------------------------------------------------------- random numbers, stalls, responses

  wire ar_take;
  wire aw_take;
  reg stall_ar;
  reg stall_r;
  reg stall_aw;
  reg stall_w;
  reg stall_b;
  wire [31:0] wait_for = latency - 1 + (jitter == 0 ? 0 : random[63:32] % (jitter + 1));

  always @(posedge clk) begin
    if (!rst_n) awake <= 1'b1;
    cycle <= cycle + 1;
    if (rst_n && awake && ar_take) read_count <= read_count + 1;
    if (rst_n && awake && aw_take) write_count <= write_count + 1;
    if (stall == 0) begin
      stall_ar <= 1'b0;
      stall_r  <= 1'b0;
      stall_aw <= 1'b0;
      stall_w  <= 1'b0;
      stall_b  <= 1'b0;
    end else begin
      stall_ar <= stall_on[0] && {1'b0, random[7:0]} < stall;
      stall_r  <= stall_on[1] && {1'b0, random[15:8]} < stall;
      stall_aw <= stall_on[2] && {1'b0, random[23:16]} < stall;
      stall_w  <= stall_on[3] && {1'b0, random[31:24]} < stall;
      stall_b  <= stall_on[4] && {1'b0, random[39:32]} < stall;
    end
    if (stall != 0 || jitter != 0) random <= xorshift(random);
  end

  function [63:0] xorshift;
    input [63:0] value;
    reg [63:0] x;
    begin
      x = value ^ (value << 13);
      x = x ^ (x >> 7);
      xorshift = x ^ (x << 17);
    end
  endfunction

  // The response to a burst of this shape. All it depends on is an argument: a wire follows nothing else.
  function [1:0] response;
    input [ADDR_W-1:0] addr;
    input [7:0] len;
    input hit;
    input at_addr;
    input [ADDR_W-1:0] bad_addr;
    input [1:0] bad_resp;
    reg [ADDR_W:0] past;
    begin
      past = {1'b0, addr} + (({{(ADDR_W - 7) {1'b0}}, len} + 1) << LOG_BYTES);
      if (past > MEM_BYTES) response = DECERR;
      else if (hit || (at_addr && bad_addr >= addr && {1'b0, bad_addr} < past)) response = bad_resp;
      else response = OKAY;
    end
  endfunction

  wire [1:0] read_resp = response(
      s_axi_araddr, s_axi_arlen, read_count == err_read, err_at_addr, err_addr, err_resp
  );
  wire [1:0] write_resp = response(
      s_axi_awaddr, s_axi_awlen, write_count == err_write, err_at_addr, err_addr, err_resp
  );

  // ---------------------------------------------------------------- the two sides, the words, the log

  wire rd_en;
  wire [ADDR_W-1:0] rd_word;
  wire wr_en;
  wire [ADDR_W-1:0] wr_word;
  wire [ADDR_W-1:0] r_addr;
  wire [7:0] r_len;
  wire [31:0] r_start;
  wire [1:0] r_worst;
  wire w_take;
  wire b_done;
  wire [ADDR_W-1:0] b_addr;
  wire [7:0] b_len;
  wire b_full;
  wire [31:0] b_start;
  wire [31:0] b_position;

  axi_memory_read #(
      .DATA_W(DATA_W),
      .ADDR_W(ADDR_W),
      .ID_W(ID_W),
      .LOG_OUTSTANDING(LOG_OUTSTANDING)
  ) u_read (
      .clk(clk),
      .rst_n(rst_n),
      .awake(awake),
      .cycle(cycle),
      .stall_ar(stall_ar),
      .stall_r(stall_r),
      .ar_take(ar_take),
      .take_wait(wait_for),
      .take_resp(read_resp),
      .err_beat(err_beat),
      .mem_en(rd_en),
      .mem_word(rd_word),
      .s_axi_arvalid(s_axi_arvalid),
      .s_axi_arready(s_axi_arready),
      .s_axi_arid(s_axi_arid),
      .s_axi_araddr(s_axi_araddr),
      .s_axi_arlen(s_axi_arlen),
      .s_axi_rvalid(s_axi_rvalid),
      .s_axi_rready(s_axi_rready),
      .s_axi_rid(s_axi_rid),
      .s_axi_rresp(s_axi_rresp),
      .s_axi_rlast(s_axi_rlast),
      .r_addr(r_addr),
      .r_len(r_len),
      .r_start(r_start),
      .r_worst(r_worst)
  );

  axi_memory_write #(
      .DATA_W(DATA_W),
      .ADDR_W(ADDR_W),
      .ID_W(ID_W),
      .LOG_OUTSTANDING(LOG_OUTSTANDING)
  ) u_write (
      .clk(clk),
      .rst_n(rst_n),
      .awake(awake),
      .cycle(cycle),
      .stall_aw(stall_aw),
      .stall_w(stall_w),
      .stall_b(stall_b),
      .aw_take(aw_take),
      .take_resp(write_resp),
      .take_wait(wait_for),
      .mem_en(wr_en),
      .mem_word(wr_word),
      .s_axi_awvalid(s_axi_awvalid),
      .s_axi_awready(s_axi_awready),
      .s_axi_awid(s_axi_awid),
      .s_axi_awaddr(s_axi_awaddr),
      .s_axi_awlen(s_axi_awlen),
      .s_axi_wvalid(s_axi_wvalid),
      .s_axi_wready(s_axi_wready),
      .s_axi_wstrb(s_axi_wstrb),
      .s_axi_bvalid(s_axi_bvalid),
      .s_axi_bready(s_axi_bready),
      .s_axi_bid(s_axi_bid),
      .s_axi_bresp(s_axi_bresp),
      .w_take(w_take),
      .b_done(b_done),
      .b_addr(b_addr),
      .b_len(b_len),
      .b_full(b_full),
      .b_start(b_start),
      .b_position(b_position)
  );

  axi_memory_store #(
      .DATA_W(DATA_W),
      .ADDR_W(ADDR_W),
      .MEM_WORDS(MEM_WORDS),
      .LOAD(LOAD),
      .DUMP(DUMP)
  ) u_store (
      .clk(clk),
      .awake(awake),
      .load_req(load_req),
      .load_word(load_word),
      .load_done(load_done),
      .dump_req(dump_req),
      .dump_done(dump_done),
      .rd_en(rd_en),
      .rd_word(rd_word),
      .rd_data(s_axi_rdata),
      .wr_en(wr_en),
      .wr_word(wr_word),
      .wr_strb(s_axi_wstrb),
      .wr_data(s_axi_wdata)
  );

  axi_memory_log #(
      .DATA_W(DATA_W),
      .ADDR_W(ADDR_W),
      .ID_W(ID_W),
      .LOG(LOG)
  ) u_log (
      .clk(clk),
      .rst_n(rst_n),
      .awake(awake),
      .cycle(cycle),
      .flush(flush),
      .flushed(flushed),
      .r_done(s_axi_rvalid && s_axi_rready),
      .r_last(s_axi_rlast),
      .r_data(s_axi_rdata),
      .r_id(s_axi_rid),
      .r_addr(r_addr),
      .r_len(r_len),
      .r_worst(r_worst),
      .r_start(r_start),
      .w_take(w_take),
      .w_data(s_axi_wdata),
      .b_done(b_done),
      .b_id(s_axi_bid),
      .b_addr(b_addr),
      .b_len(b_len),
      .b_resp(s_axi_bresp),
      .b_full(b_full),
      .b_start(b_start),
      .b_position(b_position)
  );

endmodule

`resetall
