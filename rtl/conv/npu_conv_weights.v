// npu_conv_weights.v : weight blocks from the buffer into the array's shadow registers
//
// Runs one pass ahead of the pixels, across tiles, groups and commands: while a pass streams its pixels, the
// N words of the next one come in. The blocks of a group are read again for each of its tiles, but for a CONV
// with `window`: it has one pass per group, hence one block.
`default_nettype none

module npu_conv_weights #(
    parameter integer N = 16
) (
    input  wire         clk,
    input  wire         rst_n,
    input  wire         cmd_valid,
    output wire         cmd_ready,
    input  wire [511:0] cmd_data,
    output wire         rd_en,
    output wire [ 15:0] rd_addr,
    // The word read in the last cycle belongs to this row of the shadow registers.
    output reg          row_valid,
    output reg  [  4:0] row,
    // A block is complete, or will be when the pass that takes it swaps one cycle later.
    output wire         block_valid,
    input  wire         block_ready
);

  localparam [5:0] ROWS = N[5:0];

  reg busy;  // blocks left to read
  reg [5:0] next_row;  // ROWS: the block waits for its pass
  reg [15:0] addr;
  reg [15:0] group_addr;
  reg [7:0] kw;
  reg [7:0] kh;
  reg [15:0] cb;
  reg [15:0] tile;
  reg [31:0] pixels;
  reg [7:0] kx_left;
  reg [7:0] ky_left;
  reg [15:0] c_left;
  reg [15:0] groups_left;
  reg [31:0] pixels_left;  // of the group, this tile included

  wire window = cmd_data[274];
  wire [7:0] cmd_kw = window ? 8'd1 : cmd_data[128+:8];
  wire [7:0] cmd_kh = window ? 8'd1 : cmd_data[136+:8];
  wire [31:0] total = window ? 32'd1 : {16'd0, cmd_data[160+:16]} * {16'd0, cmd_data[176+:16]};

  // In the cycle in which a pass takes the block, the next block's first row may already be read.
  wire waiting = next_row == ROWS;
  wire [5:0] this_row = (waiting && block_ready) ? 6'd0 : next_row;
  assign block_valid = waiting;
  assign rd_en = busy && this_row != ROWS;
  assign rd_addr = addr;

  wire block_ends = rd_en && this_row == ROWS - 6'd1;
  wire c_ends = c_left == 16'd1;
  wire kx_ends = c_ends && kx_left == 8'd1;
  wire tile_ends = kx_ends && ky_left == 8'd1;
  wire group_ends = tile_ends && pixels_left <= {16'd0, tile};
  wire cmd_ends = group_ends && groups_left == 16'd1;
  wire take = cmd_valid && cmd_ready;

  assign cmd_ready = !busy || (block_ends && cmd_ends);

  always @(posedge clk) begin
    if (!rst_n) begin
      busy <= 1'b0;
      next_row <= 6'd0;
      row_valid <= 1'b0;
    end else begin
      if (cmd_ready) busy <= cmd_valid;
      if (rd_en) next_row <= this_row + 6'd1;
      else next_row <= this_row;
      row_valid <= rd_en;
    end
  end

  always @(posedge clk) begin
    if (rd_en) row <= this_row[4:0];
  end

  always @(posedge clk) begin
    if (take) begin
      addr <= cmd_data[48+:16];
      group_addr <= cmd_data[48+:16];
      kw <= cmd_kw;
      kh <= cmd_kh;
      cb <= cmd_data[144+:16];
      tile <= cmd_data[208+:16];
      pixels <= total;
      kx_left <= cmd_kw;
      ky_left <= cmd_kh;
      c_left <= cmd_data[144+:16];
      groups_left <= cmd_data[192+:16];
      pixels_left <= total;
    end else if (rd_en) begin
      addr <= addr + 16'd1;
      if (block_ends) begin
        c_left <= c_left - 16'd1;
        if (c_ends) begin
          c_left  <= cb;
          kx_left <= kx_left - 8'd1;
        end
        if (kx_ends) begin
          kx_left <= kw;
          ky_left <= ky_left - 8'd1;
        end
        if (tile_ends) begin
          ky_left <= kh;
          pixels_left <= pixels_left - {16'd0, tile};
          addr <= group_addr;
        end
        if (group_ends) begin
          pixels_left <= pixels;
          groups_left <= groups_left - 16'd1;
          addr <= addr + 16'd1;
          group_addr <= addr + 16'd1;
        end
      end
    end
  end

endmodule

`default_nettype wire
