// npu_load_fill.v : read data and padding into a buffer, in the buffer's order
//
// A tile is pad_top rows, count_y rows, pad_bottom rows; a row is pad_left words, count_x runs, pad_right
// words. A padding row walks the same runs with pad_value in place of data, so no field says twice
// how long a row is. One word a cycle.
`default_nettype none

module npu_load_fill #(
    parameter integer N = 16
) (
    input  wire           clk,
    input  wire           rst_n,
    // High: finish no more commands. A failed or halted command gives no token.
    input  wire           halt,
    input  wire           cmd_valid,
    output wire           cmd_ready,
    input  wire [  511:0] cmd_data,
    input  wire           r_valid,
    output wire           r_ready,
    input  wire [8*N-1:0] r_data,
    output wire           wr_en,
    output wire [    2:0] wr_dest,
    output wire [   15:0] wr_addr,
    output wire [8*N-1:0] wr_data,
    output wire           sig_compute_valid,
    input  wire           sig_compute_ready,
    output wire           stamp_valid,
    input  wire           stamp_ready,
    output wire [    7:0] stamp_layer,
    output wire           idle
);

  // What of the command the buffer side needs.
  localparam integer DESC_W = 8 + 8 + 16 * 7 + 16 + 3 + 2;

  wire q_valid;
  wire q_ready;
  wire [7:0] q_layer;
  wire [7:0] q_pad_value;
  wire [15:0] q_pad_left;
  wire [15:0] q_pad_right;
  wire [15:0] q_pad_top;
  wire [15:0] q_pad_bottom;
  wire [15:0] q_run;
  wire [15:0] q_count_x;
  wire [15:0] q_count_y;
  wire [15:0] q_addr;
  wire [2:0] q_dest;
  wire q_stamp;
  wire q_signal;
  wire [1:0] unused_level;

  // One command may wait here while its first data are on the way behind those of the one before.
  npu_fifo #(
      .W(DESC_W),
      .LOG_D(1)
  ) u_queue (
      .clk(clk),
      .rst_n(rst_n),
      .in_valid(cmd_valid),
      .in_ready(cmd_ready),
      .in_data({
        cmd_data[16+:8],  // layer
        cmd_data[288+:8],  // pad_value
        cmd_data[256+:32],  // pad_right, pad_left
        cmd_data[224+:32],  // pad_bottom, pad_top
        cmd_data[160+:16],  // run
        cmd_data[176+:16],  // count_x
        cmd_data[192+:16],  // count_y
        cmd_data[64+:19],  // dest, address
        cmd_data[15],  // stamp
        cmd_data[13]  // signal compute
      }),
      .out_valid(q_valid),
      .out_ready(q_ready),
      .out_data({
        q_layer,
        q_pad_value,
        q_pad_right,
        q_pad_left,
        q_pad_bottom,
        q_pad_top,
        q_run,
        q_count_x,
        q_count_y,
        q_dest,
        q_addr,
        q_stamp,
        q_signal
      }),
      .level(unused_level)
  );

  localparam [1:0] S_IDLE = 2'd0;  // take a command
  localparam [1:0] S_FILL = 2'd1;  // a word a cycle
  localparam [1:0] S_DONE = 2'd2;  // token
  localparam [1:0] S_STAMP = 2'd3;
  localparam [1:0] ROW_TOP = 2'd0;
  localparam [1:0] ROW_DATA = 2'd1;
  localparam [1:0] ROW_BOTTOM = 2'd2;
  localparam [1:0] COL_LEFT = 2'd0;
  localparam [1:0] COL_DATA = 2'd1;
  localparam [1:0] COL_RIGHT = 2'd2;

  reg [1:0] state;
  reg [1:0] row;
  reg [1:0] col;
  reg [15:0] addr;
  reg [15:0] y_left;
  reg [15:0] x_left;  // words of padding, or runs
  reg [15:0] run_left;

  // The command stays at the head of the queue until it is done, so its fields need no copy.
  wire is_pad = row != ROW_DATA || col != COL_DATA;
  wire step = state == S_FILL && (is_pad || r_valid);
  wire part_ends = x_left == 16'd1 && (col != COL_DATA || run_left == 16'd1);
  wire row_ends = part_ends && (col == COL_RIGHT || (col == COL_DATA && q_pad_right == 16'd0));
  wire block_ends = row_ends && y_left == 16'd1;
  wire tile_ends = block_ends && (row == ROW_BOTTOM || (row == ROW_DATA && q_pad_bottom == 16'd0));

  assign r_ready = state == S_FILL && !is_pad;
  assign wr_en = step;
  assign wr_dest = q_dest;
  assign wr_addr = addr;
  assign wr_data = is_pad ? {N{q_pad_value}} : r_data;
  assign sig_compute_valid = state == S_DONE && q_signal && !halt;
  wire given = state == S_DONE && !halt && (!q_signal || sig_compute_ready);
  assign stamp_valid = state == S_STAMP && !halt;
  assign q_ready = (given && !q_stamp) || (stamp_valid && stamp_ready);
  assign stamp_layer = q_layer;
  assign idle = !q_valid;

  always @(posedge clk) begin
    if (!rst_n) state <= S_IDLE;
    else begin
      case (state)
        S_IDLE:  if (q_valid) state <= S_FILL;
        S_FILL:  if (step && tile_ends) state <= S_DONE;
        S_DONE:  if (given) state <= q_stamp ? S_STAMP : S_IDLE;
        S_STAMP: if (q_ready) state <= S_IDLE;
        default: state <= S_IDLE;
      endcase
    end
  end

  wire start_row = state == S_IDLE || (step && row_ends);

  always @(posedge clk) begin
    if (state == S_IDLE) begin
      addr <= q_addr;
      row <= (q_pad_top != 16'd0) ? ROW_TOP : ROW_DATA;
      y_left <= (q_pad_top != 16'd0) ? q_pad_top : q_count_y;
    end else if (step) begin
      addr <= addr + 16'd1;
      if (block_ends) begin
        row <= (row == ROW_TOP) ? ROW_DATA : ROW_BOTTOM;
        y_left <= (row == ROW_TOP) ? q_count_y : q_pad_bottom;
      end else if (row_ends) begin
        y_left <= y_left - 16'd1;
      end
    end
  end

  always @(posedge clk) begin
    if (start_row) begin
      col <= (q_pad_left != 16'd0) ? COL_LEFT : COL_DATA;
      x_left <= (q_pad_left != 16'd0) ? q_pad_left : q_count_x;
      run_left <= q_run;
    end else if (step) begin
      if (part_ends) begin
        col <= (col == COL_LEFT) ? COL_DATA : COL_RIGHT;
        x_left <= (col == COL_LEFT) ? q_count_x : q_pad_right;
        run_left <= q_run;
      end else if (col != COL_DATA) begin
        x_left <= x_left - 16'd1;
      end else if (run_left == 16'd1) begin
        x_left   <= x_left - 16'd1;
        run_left <= q_run;
      end else begin
        run_left <= run_left - 16'd1;
      end
    end
  end

endmodule

`default_nettype wire
