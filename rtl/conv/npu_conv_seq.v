// npu_conv_seq.v : the loops of a CONV without `window`
//
// Outermost first: group of output channels, tile of pixels, kernel row, kernel column, input-channel block,
// pixel. A pass is one turn of the pixel loop. Strides and dilation are steps in words that the command
// carries, so every address is a sum of counters.
`default_nettype none

module npu_conv_seq #(
    parameter integer LOG_DEPTH = 8  // log2 of the pixels in an accumulator bank
) (
    input wire clk,
    input wire take,  // start with cmd_data, which is `cmd` from the next cycle on
    input wire [511:0] cmd_data,
    input wire [511:0] cmd,
    input wire go,  // the word is read
    output wire pass_starts,
    output wire tile_starts,
    output wire tile_ends,
    output wire group_ends,
    output wire [15:0] rd_addr,
    output wire first_tap,  // of its accumulator
    output wire [LOG_DEPTH-1:0] acc_pixel
);

  wire [15:0] act_base = cmd[32+:16];
  wire [15:0] x_step = cmd[64+:16];
  wire [15:0] y_step = cmd[80+:16];
  wire [15:0] kx_step = cmd[96+:16];
  wire [15:0] ky_step = cmd[112+:16];
  wire [ 7:0] kw = cmd[128+:8];
  wire [ 7:0] kh = cmd[136+:8];
  wire [15:0] cb = cmd[144+:16];
  wire [15:0] out_w = cmd[160+:16];
  wire [15:0] out_h = cmd[176+:16];
  wire [15:0] tile = cmd[208+:16];

  // Pixel: position in the output, address offset, accumulator.
  reg  [15:0] ox;
  reg  [15:0] oy;
  reg  [15:0] row_addr;
  reg  [15:0] pix_addr;
  reg  [15:0] pixel;
  // The first pixel of the tile, to which every pass returns.
  reg  [15:0] tile_ox;
  reg  [15:0] tile_oy;
  reg  [15:0] tile_row_addr;
  reg  [15:0] tile_pix_addr;
  // Tap.
  reg  [ 7:0] kx;
  reg  [ 7:0] ky;
  reg  [15:0] c;
  reg  [15:0] ky_addr;
  reg  [15:0] kx_addr;
  reg  [15:0] tap_addr;

  assign pass_starts = pixel == 16'd0;
  assign first_tap   = kx == 8'd0 && ky == 8'd0 && c == 16'd0;
  assign tile_starts = pass_starts && first_tap;

  wire line_ends = ox == out_w - 16'd1;
  wire image_ends = line_ends && oy == out_h - 16'd1;
  wire pass_ends = image_ends || pixel == tile - 16'd1;
  wire c_ends = c == cb - 16'd1;
  wire kx_ends = c_ends && kx == kw - 8'd1;
  wire last_tap = kx_ends && ky == kh - 8'd1;
  assign tile_ends = pass_ends && last_tap;
  assign group_ends = image_ends && last_tap;
  assign rd_addr = tap_addr + pix_addr;
  assign acc_pixel = pixel[LOG_DEPTH-1:0];

  wire [15:0] next_row_addr = row_addr + y_step;

  // Pixel loop: on within the pass, back to the tile's start, or on to the next tile's start.
  always @(posedge clk) begin
    if (take) begin
      ox <= 16'd0;
      oy <= 16'd0;
      row_addr <= 16'd0;
      pix_addr <= 16'd0;
      pixel <= 16'd0;
    end else if (go) begin
      pixel <= pixel + 16'd1;
      ox <= ox + 16'd1;
      pix_addr <= pix_addr + x_step;
      if (line_ends) begin
        ox <= 16'd0;
        oy <= oy + 16'd1;
        row_addr <= next_row_addr;
        pix_addr <= next_row_addr;
      end
      if (pass_ends) pixel <= 16'd0;
      if (pass_ends && !last_tap) begin
        ox <= tile_ox;
        oy <= tile_oy;
        row_addr <= tile_row_addr;
        pix_addr <= tile_pix_addr;
      end
      if (group_ends) begin
        ox <= 16'd0;
        oy <= 16'd0;
        row_addr <= 16'd0;
        pix_addr <= 16'd0;
      end
    end
  end

  // Tile loop.
  always @(posedge clk) begin
    if (take || (go && group_ends)) begin
      tile_ox <= 16'd0;
      tile_oy <= 16'd0;
      tile_row_addr <= 16'd0;
      tile_pix_addr <= 16'd0;
    end else if (go && tile_ends) begin
      tile_ox <= line_ends ? 16'd0 : ox + 16'd1;
      tile_oy <= line_ends ? oy + 16'd1 : oy;
      tile_row_addr <= line_ends ? next_row_addr : row_addr;
      tile_pix_addr <= line_ends ? next_row_addr : pix_addr + x_step;
    end
  end

  // Tap loop.
  always @(posedge clk) begin
    if (take) begin
      kx <= 8'd0;
      ky <= 8'd0;
      c <= 16'd0;
      ky_addr <= cmd_data[32+:16];
      kx_addr <= cmd_data[32+:16];
      tap_addr <= cmd_data[32+:16];
    end else if (go && pass_ends) begin
      c <= c + 16'd1;
      tap_addr <= tap_addr + 16'd1;
      if (c_ends) begin
        c <= 16'd0;
        kx <= kx + 8'd1;
        kx_addr <= kx_addr + kx_step;
        tap_addr <= kx_addr + kx_step;
      end
      if (kx_ends) begin
        kx <= 8'd0;
        ky <= ky + 8'd1;
        ky_addr <= ky_addr + ky_step;
        kx_addr <= ky_addr + ky_step;
        tap_addr <= ky_addr + ky_step;
      end
      if (last_tap) begin
        ky <= 8'd0;
        ky_addr <= act_base;
        kx_addr <= act_base;
        tap_addr <= act_base;
      end
    end
  end

endmodule

`default_nettype wire
