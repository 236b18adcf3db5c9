// npu_fetch.v : the program in DRAM in, checked commands to the three engines out
//
// Commands are read ahead in bursts of up to four and taken apart in order. fetch is the only block that
// looks at whole commands: what it hands on needs no further check.
`default_nettype none

module npu_fetch #(
    parameter integer N = 16,
    parameter integer ADDR_W = 32,
    parameter integer ACC_DEPTH = 256,
    parameter integer LINE_WORDS = 256
) (
    input  wire              clk,
    input  wire              rst_n,
    // High: start no more bursts and hand out no more commands; let bursts under way end.
    input  wire              halt,
    input  wire              start,          // one cycle; takes prog_*
    input  wire [ADDR_W-1:0] prog_base,      // 64-byte aligned
    input  wire [      15:0] prog_len,       // commands
    input  wire [ADDR_W-1:0] read_base,      // npu_page_window.v
    input  wire [ADDR_W-1:0] read_limit,
    output reg               ar_valid,
    input  wire              ar_ready,
    output reg  [ADDR_W-1:0] ar_addr,
    output reg  [       7:0] ar_len,
    input  wire              r_valid,
    output wire              r_ready,
    input  wire [   8*N-1:0] r_data,
    input  wire [       1:0] r_resp,
    input  wire              r_last,
    // One payload {number, command} for the three engines.
    output wire              load_valid,
    input  wire              load_ready,
    output wire              compute_valid,
    input  wire              compute_ready,
    output wire              store_valid,
    input  wire              store_ready,
    output wire [     527:0] cmd_data,
    // END was reached; stays high until reset.
    output wire              ended,
    output wire              err_valid,
    output wire [       3:0] err_cause,
    output wire [ADDR_W-1:0] err_addr,
    output wire [      15:0] err_cmd,
    output wire              quiet           // nothing under way on the bus
);

  `include "npu_opcodes.vh"

  localparam integer BEATS = 64 / N;  // of a command
  localparam integer LOG_BEATS = $clog2(BEATS);
  localparam integer LOG_AHEAD = 3;  // log2 of the commands read ahead

  // ---------------------------------------------------------------- read ahead

  reg running;
  reg [ADDR_W-1:0] next_addr;
  reg [15:0] left;  // commands not yet asked for
  reg [LOG_AHEAD:0] free;  // commands that the queue can still take
  reg in_flight;
  reg [15:0] asked;  // number of the first command of the burst under way

  wire [6:0] to_page_end = 7'd64 - {1'b0, next_addr[11:6]};
  wire [2:0] most = (to_page_end < 7'd4) ? to_page_end[2:0] : 3'd4;
  wire [2:0] size = (left < {13'd0, most}) ? left[2:0] : most;
  wire take;  // a command left the queue
  wire r_fire = r_valid && r_ready;
  // One burst at a time: four commands keep three engines busy for hundreds of cycles.
  // None after END: the program may be over, and the core cleared, in the very next cycle.
  wire wanted = running && left != 16'd0 && !ended && !halt;
  wire permitted;
  wire issue = wanted && permitted && !in_flight && free >= {1'b0, size};
  // What is read ahead in vain is no error: only a command that is needed now, because all before it are handed out.
  wire refused = wanted && !permitted && free == 4'd8;
  wire [7:0] beats = {5'd0, size} << LOG_BEATS;

  npu_page_window #(
      .ADDR_W(ADDR_W)
  ) u_window (
      .addr(next_addr),
      .base(read_base),
      .limit(read_limit),
      .permitted(permitted)
  );

  always @(posedge clk) begin
    if (!rst_n) begin
      running   <= 1'b0;
      ar_valid  <= 1'b0;
      in_flight <= 1'b0;
    end else begin
      if (start) running <= 1'b1;
      if (issue) ar_valid <= 1'b1;
      else if (ar_ready) ar_valid <= 1'b0;
      if (issue) in_flight <= 1'b1;
      else if (r_fire && r_last) in_flight <= 1'b0;
    end
  end

  always @(posedge clk) begin
    if (start) begin
      next_addr <= prog_base;
      left <= prog_len;
      free <= 4'd8;
    end else begin
      if (issue) begin
        next_addr <= next_addr + {{ADDR_W - 9{1'b0}}, size, 6'd0};
        left <= left - {13'd0, size};
      end
      free <= free - (issue ? {1'b0, size} : 4'd0) + {3'd0, take};
    end
    if (issue) begin
      ar_addr <= next_addr;
      ar_len  <= beats - 8'd1;
    end
  end

  // ---------------------------------------------------------------- commands from beats

  wire beat_valid;
  wire beat_ready;
  wire [8*N-1:0] beat_data;
  wire queue_ready;
  wire [LOG_AHEAD+LOG_BEATS:0] unused_level;

  npu_fifo #(
      .W(8 * N),
      .LOG_D(LOG_AHEAD + LOG_BEATS)
  ) u_beats (
      .clk(clk),
      .rst_n(rst_n),
      .in_valid(r_valid),
      .in_ready(queue_ready),
      .in_data(r_data),
      .out_valid(beat_valid),
      .out_ready(beat_ready),
      .out_data(beat_data),
      .level(unused_level)
  );

  // Room was reserved before the burst was asked for, so queue_ready is never low in use.
  assign r_ready = queue_ready;

  reg [511:0] cmd;
  reg [LOG_BEATS:0] have;  // beats of cmd that are in
  reg [15:0] number;  // of cmd
  reg [ADDR_W-1:0] cmd_addr;
  reg [15:0] len;

  wire cmd_valid = have[LOG_BEATS] && !halt;
  wire cmd_taken;

  assign beat_ready = !have[LOG_BEATS] || cmd_taken;
  assign take = cmd_taken;

  wire beat_fire = beat_valid && beat_ready;

  always @(posedge clk) begin
    if (!rst_n) have <= 0;
    else if (cmd_taken) have <= {{LOG_BEATS{1'b0}}, beat_fire};
    else if (beat_fire) have <= have + 1'b1;
  end

  always @(posedge clk) begin
    if (beat_fire) cmd <= {beat_data, cmd[511:8*N]};
    if (start) begin
      number <= 16'd0;
      cmd_addr <= prog_base;
      len <= prog_len;
    end else if (cmd_taken) begin
      number   <= number + 16'd1;
      cmd_addr <= cmd_addr + 64;
    end
  end

  // ---------------------------------------------------------------- check and hand out

  wire [7:0] opcode = cmd[7:0];
  wire known;
  wire fields_ok;

  npu_command_check #(
      .N(N),
      .ACC_DEPTH(ACC_DEPTH),
      .LINE_WORDS(LINE_WORDS)
  ) u_check (
      .cmd(cmd),
      .known(known),
      .fields_ok(fields_ok)
  );

  wire good = cmd_valid && known && fields_ok;

  assign cmd_data = {number, cmd};
  assign load_valid = good && opcode == OP_LOAD;
  assign compute_valid = good && (opcode == OP_CONV || opcode == OP_POOL);
  assign store_valid = good && opcode == OP_STORE;
  assign cmd_taken = (load_valid && load_ready) || (compute_valid && compute_ready) ||
      (store_valid && store_ready);
  // What follows END is never looked at: END stays in cmd.
  assign ended = have[LOG_BEATS] && known && fields_ok && opcode == OP_END;

  // ---------------------------------------------------------------- errors

  wire bad_read = r_fire && r_resp[1];
  wire bad_cmd = cmd_valid && !(known && fields_ok);
  wire overrun = running && number == len;
  reg [ADDR_W-1:0] burst_addr;

  always @(posedge clk) begin
    if (issue) begin
      burst_addr <= next_addr;
      asked <= len - left;
    end
  end

  // Of the command that could not be read, refused or is missing.
  wire at_cmd = bad_cmd || overrun || refused;

  assign err_valid = (bad_read || at_cmd) && !halt;
  assign err_cause = bad_cmd ? (known ? CAUSE_FIELD : CAUSE_OPCODE) : overrun ? CAUSE_OVERRUN :
      refused ? CAUSE_READ_WINDOW : r_resp[0] ? CAUSE_READ_DECERR : CAUSE_READ_SLVERR;
  assign err_addr = at_cmd ? cmd_addr : burst_addr;
  assign err_cmd = at_cmd ? number : asked;
  assign quiet = !in_flight;

endmodule

`default_nettype wire
