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
// the files hold bytes in address order. $fread fills a word from its most significant byte, so each
// word is turned round once after loading.
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
    output reg                 flushed,
    input  wire                load_req,
    input  wire [        31:0] load_word,
    output reg                 load_done,
    input  wire                dump_req,
    output reg                 dump_done,
    input  wire                s_axi_arvalid,
    output wire                s_axi_arready,
    input  wire [    ID_W-1:0] s_axi_arid,
    input  wire [  ADDR_W-1:0] s_axi_araddr,
    input  wire [         7:0] s_axi_arlen,
    output reg                 s_axi_rvalid,
    input  wire                s_axi_rready,
    output reg  [    ID_W-1:0] s_axi_rid,
    output reg  [  DATA_W-1:0] s_axi_rdata,
    output reg  [         1:0] s_axi_rresp,
    output reg                 s_axi_rlast,
    input  wire                s_axi_awvalid,
    output wire                s_axi_awready,
    input  wire [    ID_W-1:0] s_axi_awid,
    input  wire [  ADDR_W-1:0] s_axi_awaddr,
    input  wire [         7:0] s_axi_awlen,
    input  wire                s_axi_wvalid,
    output wire                s_axi_wready,
    input  wire [  DATA_W-1:0] s_axi_wdata,
    input  wire [DATA_W/8-1:0] s_axi_wstrb,
    output reg                 s_axi_bvalid,
    input  wire                s_axi_bready,
    output reg  [    ID_W-1:0] s_axi_bid,
    output reg  [         1:0] s_axi_bresp
);

  localparam integer BYTES = DATA_W / 8;
  localparam integer LOG_BYTES = $clog2(BYTES);
  localparam integer DEPTH = 1 << LOG_OUTSTANDING;
  localparam integer LOG_WORDS = $clog2(MEM_WORDS);
  localparam [6:0] CHUNK = 7'd64;  // bus words written to a data file at a time
  localparam [1:0] OKAY = 2'd0;
  localparam [8:0] ALL_BEATS = 9'h1FF;
  localparam [1:0] DECERR = 2'd3;
  localparam [LOG_OUTSTANDING:0] FULL = {1'b1, {LOG_OUTSTANDING{1'b0}}};
  localparam [ADDR_W:0] MEM_BYTES = {{ADDR_W{1'b0}}, 1'b1} << (LOG_WORDS + LOG_BYTES);

  reg [DATA_W-1:0] mem[0:MEM_WORDS-1];
  // Before the first reset the pins may be anything, and a simulator that draws them may even make an edge.
  reg awake;

  // ---------------------------------------------------------------- plusargs, image, files

  reg [8*256-1:0] path;
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
  integer burst_file;
  integer read_file;
  integer write_file;
  integer image_file;
  integer image_words;
  integer dump_file;
  integer i;
  integer lane;
  reg [DATA_W-1:0] word;
  reg [DATA_W-1:0] turned;

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
    flushed = 0;
    load_done = 0;
    dump_done = 0;
    burst_file = 0;
    read_file = 0;
    write_file = 0;
    if (!$value$plusargs("log=%s", path)) path = LOG;
    if (path != 0) begin
      burst_file = $fopen({path, ".bursts"}, "wb");
      read_file  = $fopen({path, ".reads"}, "wb");
      write_file = $fopen({path, ".writes"}, "wb");
      if (burst_file == 0 || read_file == 0 || write_file == 0) begin
        $display("axi_memory: cannot write the log %0s.*", path);
        $finish;
      end
    end
    for (i = 0; i < MEM_WORDS; i = i + 1) mem[i] = {DATA_W{1'b0}};
    if (!$value$plusargs("image=%s", path)) path = 0;
    if (path != 0) load(0);
  end

  // The file named by `path` to word `first` and up.
  task load;
    input integer first;
    begin
      image_file = $fopen(path, "rb");
      if (image_file == 0) begin
        $display("axi_memory: cannot read %0s", path);
        $finish;
      end else begin
        image_words = ($fread(mem, image_file, first) + BYTES - 1) / BYTES;
        $fclose(image_file);
        for (i = first; i < first + image_words; i = i + 1) begin
          word = mem[i];
          for (lane = 0; lane < BYTES; lane = lane + 1) begin
            turned[8*lane+:8] = word[8*(BYTES-1-lane)+:8];
          end
          mem[i] = turned;
        end
      end
    end
  endtask

  // ---------------------------------------------------------------- random numbers, stalls

  reg stall_ar;
  reg stall_r;
  reg stall_aw;
  reg stall_w;
  reg stall_b;
  wire [31:0] wait_for = latency - 1 + (jitter == 0 ? 0 : random[63:32] % (jitter + 1));

  always @(posedge clk) begin
    cycle <= cycle + 1;
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

  // The response to a burst of this shape.
  function [1:0] response;
    input [ADDR_W-1:0] addr;
    input [7:0] len;
    input hit;
    reg [ADDR_W:0] past;
    begin
      past = {1'b0, addr} + (({{(ADDR_W - 7) {1'b0}}, len} + 1) << LOG_BYTES);
      if (past > MEM_BYTES) response = DECERR;
      else if (hit || (err_at_addr && err_addr >= addr && {1'b0, err_addr} < past))
        response = err_resp;
      else response = OKAY;
    end
  endfunction

  // ---------------------------------------------------------------- reads

  reg [ID_W-1:0] ar_id[0:DEPTH-1];
  reg [ADDR_W-1:0] ar_addr[0:DEPTH-1];
  reg [7:0] ar_len[0:DEPTH-1];
  reg [1:0] ar_resp[0:DEPTH-1];
  reg [31:0] ar_start[0:DEPTH-1];
  reg [31:0] ar_due[0:DEPTH-1];
  reg [LOG_OUTSTANDING-1:0] ar_put;
  reg [LOG_OUTSTANDING-1:0] ar_get;
  reg [LOG_OUTSTANDING:0] ar_held;
  reg [7:0] r_beat;
  // Of the burst whose beat is on the bus, for its record.
  reg [ADDR_W-1:0] r_addr;
  reg [7:0] r_len;
  reg [31:0] r_start;
  reg [1:0] r_worst;

  wire ar_take = s_axi_arvalid && s_axi_arready;
  wire r_move = !s_axi_rvalid || s_axi_rready;
  wire r_next = r_move && ar_held != 0 && ar_due[ar_get] <= cycle && !stall_r;
  wire [1:0] r_resp = err_beat == ALL_BEATS || err_beat == {1'b0, r_beat} ? ar_resp[ar_get] : OKAY;
  wire r_ends = r_next && r_beat == ar_len[ar_get];
  wire [ADDR_W-1:0] r_word = (ar_addr[ar_get] >> LOG_BYTES) + {{(ADDR_W - 8) {1'b0}}, r_beat};
  wire r_inside = r_word[ADDR_W-1:LOG_WORDS] == 0;

  assign s_axi_arready = ar_held != FULL && !stall_ar;

  always @(posedge clk) begin
    if (!rst_n || !awake) begin
      ar_put <= 0;
      ar_get <= 0;
      ar_held <= 0;
      r_beat <= 0;
      s_axi_rvalid <= 1'b0;
    end else begin
      if (ar_take) begin
        ar_id[ar_put] <= s_axi_arid;
        ar_addr[ar_put] <= s_axi_araddr;
        ar_len[ar_put] <= s_axi_arlen;
        ar_resp[ar_put] <= response(s_axi_araddr, s_axi_arlen, read_count == err_read);
        ar_start[ar_put] <= cycle;
        ar_due[ar_put] <= cycle + wait_for;
        ar_put <= ar_put + 1;
        read_count <= read_count + 1;
      end
      ar_held <= ar_held + {{LOG_OUTSTANDING{1'b0}}, ar_take} - {{LOG_OUTSTANDING{1'b0}}, r_ends};
      if (r_next) begin
        s_axi_rid <= ar_id[ar_get];
        s_axi_rdata <= r_inside ? mem[r_word[LOG_WORDS-1:0]] : {DATA_W{1'b0}};
        s_axi_rresp <= r_resp;
        r_worst <= r_resp | (r_beat == 8'd0 ? OKAY : r_worst);
        s_axi_rlast <= r_ends;
        r_addr <= ar_addr[ar_get];
        r_len <= ar_len[ar_get];
        r_start <= ar_start[ar_get];
        r_beat <= r_ends ? 8'd0 : r_beat + 8'd1;
        if (r_ends) ar_get <= ar_get + 1;
      end
      if (r_move) s_axi_rvalid <= r_next;
    end
  end

  // ---------------------------------------------------------------- writes

  reg [ID_W-1:0] aw_id[0:DEPTH-1];
  reg [ADDR_W-1:0] aw_addr[0:DEPTH-1];
  reg [7:0] aw_len[0:DEPTH-1];
  reg [1:0] aw_resp[0:DEPTH-1];
  reg [31:0] aw_start[0:DEPTH-1];
  // A burst keeps its place from address to response: put, data, get go round the same slots.
  reg aw_full[0:DEPTH-1];
  reg [31:0] aw_due[0:DEPTH-1];
  reg [31:0] aw_position[0:DEPTH-1];
  reg [LOG_OUTSTANDING-1:0] aw_put;
  reg [LOG_OUTSTANDING-1:0] aw_data;
  reg [LOG_OUTSTANDING-1:0] aw_get;
  reg [LOG_OUTSTANDING:0] aw_held;  // put to get
  reg [LOG_OUTSTANDING:0] w_held;  // put to data
  reg [LOG_OUTSTANDING:0] b_held;  // data to get
  reg [7:0] w_beat;
  reg w_full;
  reg [LOG_OUTSTANDING-1:0] b_slot;
  reg [31:0] written;  // words

  wire aw_take = s_axi_awvalid && s_axi_awready;
  wire w_take = s_axi_wvalid && s_axi_wready;
  wire w_ends = w_take && w_beat == aw_len[aw_data];
  wire w_all = &s_axi_wstrb;
  wire b_move = !s_axi_bvalid || s_axi_bready;
  wire b_next = b_move && b_held != 0 && aw_due[aw_get] <= cycle && !stall_b;
  wire b_done = s_axi_bvalid && s_axi_bready;
  wire [LOG_WORDS-1:0] w_word = aw_addr[aw_data][LOG_BYTES+:LOG_WORDS] + {{(LOG_WORDS - 8) {1'b0}}, w_beat};
  integer w_lane;

  assign s_axi_awready = aw_held != FULL && !stall_aw;
  assign s_axi_wready  = w_held != 0 && !stall_w;

  always @(posedge clk) begin
    if (!rst_n || !awake) begin
      aw_put <= 0;
      aw_data <= 0;
      aw_get <= 0;
      aw_held <= 0;
      w_held <= 0;
      b_held <= 0;
      w_beat <= 0;
      w_full <= 1'b1;
      s_axi_bvalid <= 1'b0;
    end else begin
      if (aw_take) begin
        aw_id[aw_put] <= s_axi_awid;
        aw_addr[aw_put] <= s_axi_awaddr;
        aw_len[aw_put] <= s_axi_awlen;
        aw_resp[aw_put] <= response(s_axi_awaddr, s_axi_awlen, write_count == err_write);
        aw_start[aw_put] <= cycle;
        aw_put <= aw_put + 1;
        write_count <= write_count + 1;
      end
      // The slot is free again when the response has been taken: its record still needs it.
      aw_held <= aw_held + {{LOG_OUTSTANDING{1'b0}}, aw_take} - {{LOG_OUTSTANDING{1'b0}}, b_done};
      w_held  <= w_held + {{LOG_OUTSTANDING{1'b0}}, aw_take} - {{LOG_OUTSTANDING{1'b0}}, w_ends};
      b_held  <= b_held + {{LOG_OUTSTANDING{1'b0}}, w_ends} - {{LOG_OUTSTANDING{1'b0}}, b_next};
      if (w_take) begin
        if (aw_resp[aw_data] == OKAY) begin
          if (w_all) mem[w_word] <= s_axi_wdata;
          else begin
            for (w_lane = 0; w_lane < BYTES; w_lane = w_lane + 1) begin
              if (s_axi_wstrb[w_lane]) mem[w_word][8*w_lane+:8] <= s_axi_wdata[8*w_lane+:8];
            end
          end
        end
        written <= written + 1;
        if (w_beat == 0) aw_position[aw_data] <= written;
        w_full <= w_ends || (w_full && w_all);
        w_beat <= w_ends ? 8'd0 : w_beat + 8'd1;
        if (w_ends) begin
          aw_full[aw_data] <= w_full && w_all;
          aw_due[aw_data] <= cycle + wait_for;
          aw_data <= aw_data + 1;
        end
      end
      if (b_next) begin
        s_axi_bid <= aw_id[aw_get];
        s_axi_bresp <= aw_resp[aw_get];
        b_slot <= aw_get;
        aw_get <= aw_get + 1;
      end
      if (b_move) s_axi_bvalid <= b_next;
    end
  end

  // ---------------------------------------------------------------- log

  reg [CHUNK*DATA_W-1:0] read_chunk;
  reg [CHUNK*DATA_W-1:0] write_chunk;
  reg [6:0] read_fill;
  reg [6:0] write_fill;
  reg [31:0] read_total;  // words
  reg [63:0] address;

  initial begin
    awake = 1'b0;
    read_fill = 0;
    write_fill = 0;
    read_total = 0;
    written = 0;
  end

  // Blocking on purpose: only these tasks use the chunks, and a copy of one every cycle would cost half the
  // speed.
  task log_read_beat;
    begin
      read_chunk[read_fill*DATA_W+:DATA_W] = s_axi_rdata;
      read_fill = read_fill + 7'd1;
      read_total = read_total + 1;
      if (read_fill == CHUNK) begin
        $fwrite(read_file, "%u", read_chunk);
        read_fill = 0;
      end
    end
  endtask

  task log_write_beat;
    begin
      write_chunk[write_fill*DATA_W+:DATA_W] = s_axi_wdata;
      write_fill = write_fill + 7'd1;
      if (write_fill == CHUNK) begin
        $fwrite(write_file, "%u", write_chunk);
        write_fill = 0;
      end
    end
  endtask

  task log_burst;
    input [ID_W-1:0] id;
    input [ADDR_W-1:0] addr;
    input [7:0] len;
    input [3:0] flags;
    input [31:0] first;
    input [31:0] position;
    begin
      address = {{(64 - ADDR_W) {1'b0}}, addr};
      $fwrite(burst_file, "%u", {position, cycle, first, address, {24'd0, len} + 32'd1,
                                 {{(32 - ID_W) {1'b0}}, id}, {28'd0, flags}});
    end
  endtask

  task flush_log;
    begin
      for (i = 0; i < {25'd0, read_fill}; i = i + 1)
      $fwrite(read_file, "%u", read_chunk[i*DATA_W+:DATA_W]);
      for (i = 0; i < {25'd0, write_fill}; i = i + 1)
      $fwrite(write_file, "%u", write_chunk[i*DATA_W+:DATA_W]);
      read_fill  = 0;
      write_fill = 0;
      $fflush(read_file);
      $fflush(write_file);
      $fflush(burst_file);
    end
  endtask

  task reload;
    begin
      if (!$value$plusargs("load=%s", path)) path = LOAD;
      if (path != 0) load(load_word);
    end
  endtask

  task dump;
    begin
      if (!$value$plusargs("dump=%s", path)) path = DUMP;
      if (path != 0) begin
        dump_file = $fopen(path, "wb");
        for (i = 0; i < MEM_WORDS; i = i + 1) $fwrite(dump_file, "%u", mem[i]);
        $fclose(dump_file);
      end
    end
  endtask

  always @(posedge clk) begin
    if (!rst_n) awake <= 1'b1;
    if (rst_n && awake && burst_file != 0) begin
      if (s_axi_rvalid && s_axi_rready) begin
        log_read_beat;
        if (s_axi_rlast) begin
          log_burst(s_axi_rid, r_addr, r_len, {r_worst, 2'b10}, r_start,
                    read_total - {24'd0, r_len} - 32'd1);
        end
      end
      if (w_take) log_write_beat;
      if (b_done) begin
        log_burst(s_axi_bid, aw_addr[b_slot], aw_len[b_slot], {s_axi_bresp, aw_full[b_slot], 1'b1},
                  aw_start[b_slot], aw_position[b_slot]);
      end
    end
    if (awake && flush != flushed) begin
      if (burst_file != 0) flush_log;
      flushed <= flush;
    end
    if (awake && load_req != load_done) begin
      reload;
      load_done <= load_req;
    end
    if (awake && dump_req != dump_done) begin
      dump;
      dump_done <= dump_req;
    end
  end

endmodule

`resetall
