// npu_burst_walk.v : a 3-D window of DRAM in, the AXI bursts that cover it out
//
// A window is count_y rows of count_x runs of `run` contiguous words. A run is cut at MAX_BURST beats and
// at every 4 KiB boundary, because AXI forbids a burst to cross one; runs are never merged, so
// that the bursts follow from the command alone and the reference machine can predict each.
// One burst a cycle. Load and store share it.
`default_nettype none

module npu_burst_walk #(
    parameter integer N         = 16,  // bytes of a word
    parameter integer ADDR_W    = 32,
    parameter integer MAX_BURST = 64
) (
    input  wire              clk,
    input  wire              rst_n,
    // Fields of the LOAD or STORE command.
    input  wire              cmd_valid,
    output wire              cmd_ready,
    input  wire [ADDR_W-1:0] cmd_addr,
    input  wire [ADDR_W-1:0] cmd_stride_y,
    input  wire [ADDR_W-1:0] cmd_stride_x,
    input  wire [      15:0] cmd_run,
    input  wire [      15:0] cmd_count_x,
    input  wire [      15:0] cmd_count_y,
    output wire              burst_valid,
    input  wire              burst_ready,
    output wire [ADDR_W-1:0] burst_addr,
    output wire [       8:0] burst_beats,
    output wire              burst_last     // the last one of its command
);

  localparam integer LOG_N = $clog2(N);
  localparam [15:0] PAGE_WORDS = 16'd4096 >> LOG_N;
  localparam [15:0] LONGEST = MAX_BURST[15:0];

  reg busy;
  reg [ADDR_W-1:0] stride_y;
  reg [ADDR_W-1:0] stride_x;
  reg [15:0] run;
  reg [15:0] count_x;
  reg [ADDR_W-1:0] row_addr;  // first word of the current row
  reg [ADDR_W-1:0] run_addr;  // first word of the current run
  reg [ADDR_W-1:0] addr;  // next word of the current run
  reg [15:0] run_left;
  reg [15:0] x_left;
  reg [15:0] y_left;

  wire [15:0] to_page_end = PAGE_WORDS - {{4 + LOG_N{1'b0}}, addr[11:LOG_N]};
  wire [15:0] limit = (to_page_end < LONGEST) ? to_page_end : LONGEST;
  wire run_ends = run_left <= limit;
  wire [15:0] beats = run_ends ? run_left : limit;
  wire row_ends = run_ends && x_left == 16'd1;
  wire [ADDR_W-1:0] next_row = row_addr + stride_y;
  wire [ADDR_W-1:0] next_run = run_addr + stride_x;
  wire [ADDR_W-1:0] next_addr = addr + ({{ADDR_W - 16{1'b0}}, beats} << LOG_N);

  assign cmd_ready   = !busy;
  assign burst_valid = busy;
  assign burst_addr  = addr;
  assign burst_beats = beats[8:0];
  assign burst_last  = row_ends && y_left == 16'd1;

  always @(posedge clk) begin
    if (!rst_n) begin
      busy <= 1'b0;
    end else if (cmd_ready) begin
      busy <= cmd_valid;
    end else if (burst_ready && burst_last) begin
      busy <= 1'b0;
    end
  end

  always @(posedge clk) begin
    if (cmd_ready) begin
      stride_y <= cmd_stride_y;
      stride_x <= cmd_stride_x;
      run <= cmd_run;
      count_x <= cmd_count_x;
      row_addr <= cmd_addr;
      run_addr <= cmd_addr;
      addr <= cmd_addr;
      run_left <= cmd_run;
      x_left <= cmd_count_x;
      y_left <= cmd_count_y;
    end else if (burst_ready) begin
      addr <= next_addr;
      run_left <= run_left - beats;
      if (run_ends) begin
        addr <= next_run;
        run_addr <= next_run;
        run_left <= run;
        x_left <= x_left - 16'd1;
      end
      if (row_ends) begin
        addr <= next_row;
        row_addr <= next_row;
        run_addr <= next_row;
        x_left <= count_x;
        y_left <= y_left - 16'd1;
      end
    end
  end

endmodule

`default_nettype wire
