// npu_control.v : starts a program, ends it, and keeps the first error
//
// A program ends when END is reached and every engine is idle, or at the first error: then halt keeps new
// bursts back until the bus is quiet. Either way one cycle of core reset follows, so that every program
// starts from the same state whatever the one before did.
`default_nettype none

module npu_control #(
    parameter integer ADDR_W = 32
) (
    input  wire              clk,
    input  wire              rst_n,
    input  wire              start,             // one cycle, only while not busy
    input  wire              stop,
    input  wire [      31:0] watchdog_limit,    // cycles; 0: never
    output wire              busy,
    output wire              go,                // to fetch, one cycle
    output wire              halt,
    output wire              core_rst_n,
    input  wire              ended,             // fetch has seen END
    input  wire              idle,              // nothing queued, nothing being done
    input  wire              quiet,             // nothing under way on the bus
    input  wire              progress,          // something moved in this cycle
    input  wire              fetch_err_valid,
    input  wire [       3:0] fetch_err_cause,
    input  wire [ADDR_W-1:0] fetch_err_addr,
    input  wire [      15:0] fetch_err_cmd,
    input  wire              load_err_valid,
    input  wire              load_err_decerr,
    input  wire              load_err_window,   // before decerr
    input  wire [ADDR_W-1:0] load_err_addr,
    input  wire [      15:0] load_err_cmd,
    input  wire              store_err_valid,
    input  wire              store_err_decerr,
    input  wire              store_err_window,
    input  wire [ADDR_W-1:0] store_err_addr,
    input  wire [      15:0] store_err_cmd,
    input  wire [      31:0] waits,             // npu_waits.v
    input  wire [      15:0] waits_cmd,
    output reg  [       3:0] err_cause,
    output reg  [ADDR_W-1:0] err_addr,
    output reg  [       3:0] err_id,
    output reg  [      15:0] err_cmd,
    output wire              done_event,        // one cycle
    output wire              error_event        // one cycle
);

  `include "npu_opcodes.vh"

  localparam [1:0] S_IDLE = 2'd0;  // wait for start
  localparam [1:0] S_RUN = 2'd1;
  localparam [1:0] S_HALT = 2'd2;  // an error: wait for the bus
  localparam [1:0] S_CLEAR = 2'd3;  // one cycle of core reset

  reg [1:0] state;
  reg failed;
  reg [31:0] still;  // cycles without progress

  wire timeout = watchdog_limit != 32'd0 && still >= watchdog_limit;
  wire any_error = fetch_err_valid || load_err_valid || store_err_valid || timeout || stop;
  wire finished = ended && idle && quiet;

  assign busy = state != S_IDLE;
  assign go = state == S_IDLE && start;
  assign halt = state == S_HALT;
  assign core_rst_n = rst_n && state != S_CLEAR;
  assign done_event = state == S_CLEAR && !failed;
  assign error_event = state == S_CLEAR && failed;

  always @(posedge clk) begin
    if (!rst_n) begin
      state <= S_IDLE;
    end else begin
      case (state)
        S_IDLE:  if (start) state <= S_RUN;
        S_RUN:   if (any_error) state <= S_HALT;
 else if (finished) state <= S_CLEAR;
        S_HALT:  if (quiet) state <= S_CLEAR;
        default: state <= S_IDLE;
      endcase
    end
  end

  always @(posedge clk) begin
    if (!rst_n || go || progress) still <= 32'd0;
    else if (state == S_RUN) still <= still + 32'd1;
  end

  always @(posedge clk) begin
    if (!rst_n || go) begin
      failed <= 1'b0;
      err_cause <= CAUSE_NONE;
      err_addr <= 0;
      err_id <= 4'd0;
      err_cmd <= 16'd0;
    end else if (state == S_RUN && any_error) begin
      failed <= 1'b1;
      if (fetch_err_valid) begin
        err_cause <= fetch_err_cause;
        err_addr  <= fetch_err_addr;
        err_cmd   <= fetch_err_cmd;
      end else if (load_err_valid) begin
        err_cause <= load_err_window ? CAUSE_READ_WINDOW :
            load_err_decerr ? CAUSE_READ_DECERR : CAUSE_READ_SLVERR;
        err_addr <= load_err_addr;
        err_id <= 4'd1;
        err_cmd <= load_err_cmd;
      end else if (store_err_valid) begin
        err_cause <= store_err_window ? CAUSE_WRITE_WINDOW :
            store_err_decerr ? CAUSE_WRITE_DECERR : CAUSE_WRITE_SLVERR;
        err_addr <= store_err_addr;
        err_id <= 4'd2;
        err_cmd <= store_err_cmd;
      end else if (timeout) begin
        err_cause <= CAUSE_WATCHDOG;
        err_addr  <= waits;
        err_cmd   <= waits_cmd;
      end else begin
        err_cause <= CAUSE_STOPPED;
      end
    end
  end

endmodule

`default_nettype wire
