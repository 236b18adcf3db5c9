// npu_conv_seq.v : which activation word meets the array, and which accumulator, in each cycle
//
// Loops, outermost first: group of output channels, tile of pixels, kernel row, kernel column,
// input-channel block, pixel. Strides and dilation are steps in words that the command carries, so every
// address is a sum of counters. A pass (one turn of the pixel loop) starts when its weights are there, and
// a tile when its accumulator bank is free; between those points nothing can stall, because the
// accumulators always take a word.
`default_nettype none

module npu_conv_seq #(
    parameter integer LOG_DEPTH = 8  // log2 of the pixels in an accumulator bank
) (
    input  wire                 clk,
    input  wire                 rst_n,
    input  wire                 cmd_valid,
    output wire                 cmd_ready,
    input  wire [        511:0] cmd_data,
    input  wire                 block_valid,     // weights of the next pass
    output wire                 block_ready,
    output wire                 rd_en,
    output wire [         15:0] rd_addr,
    // The accumulator that goes with this word.
    output wire                 acc_bank,
    output wire [LOG_DEPTH-1:0] acc_pixel,
    output wire                 acc_first,
    output wire                 acc_last,
    input  wire                 bank_release,    // post has emptied the older bank
    // One descriptor for post, when a tile starts that will be drained.
    output wire                 desc_valid,
    input  wire                 desc_ready,
    output wire [        172:0] desc_data,
    // Token for load, when the last word of a command is read.
    output wire                 sig_load_valid,
    input  wire                 sig_load_ready,
    output wire                 idle,
    output wire                 stat_weights
);

  // ---------------------------------------------------------------- the command

  reg busy;
  reg [511:0] cmd;

  wire [15:0] act_base = cmd[32+:16];
  wire [15:0] x_step = cmd[64+:16];
  wire [15:0] y_step = cmd[80+:16];
  wire [15:0] kx_step = cmd[96+:16];
  wire [15:0] ky_step = cmd[112+:16];
  wire [7:0] kw = cmd[128+:8];
  wire [7:0] kh = cmd[136+:8];
  wire [15:0] cb = cmd[144+:16];
  wire [15:0] out_w = cmd[160+:16];
  wire [15:0] out_h = cmd[176+:16];
  wire [15:0] groups = cmd[192+:16];
  wire [15:0] tile = cmd[208+:16];
  wire [15:0] out_base = cmd[224+:16];
  wire [15:0] out_pitch = cmd[240+:16];
  wire clear = cmd[272];
  wire drain = cmd[273];

  // ---------------------------------------------------------------- counters

  // Pixel: position in the output, address offset, accumulator.
  reg [15:0] ox;
  reg [15:0] oy;
  reg [15:0] row_addr;
  reg [15:0] pix_addr;
  reg [15:0] pixel;
  // The first pixel of the tile, to which every pass returns.
  reg [15:0] tile_ox;
  reg [15:0] tile_oy;
  reg [15:0] tile_row_addr;
  reg [15:0] tile_pix_addr;
  // Tap.
  reg [7:0] kx;
  reg [7:0] ky;
  reg [15:0] c;
  reg [15:0] ky_addr;
  reg [15:0] kx_addr;
  reg [15:0] tap_addr;
  // Group.
  reg [15:0] group;
  reg [15:0] par_addr;
  reg bank;

  wire pass_starts = pixel == 16'd0;
  wire first_tap = kx == 8'd0 && ky == 8'd0 && c == 16'd0;
  wire tile_starts = pass_starts && first_tap;

  wire line_ends = ox == out_w - 16'd1;
  wire image_ends = line_ends && oy == out_h - 16'd1;
  wire pass_ends = image_ends || pixel == tile - 16'd1;
  wire c_ends = c == cb - 16'd1;
  wire kx_ends = c_ends && kx == kw - 8'd1;
  wire last_tap = kx_ends && ky == kh - 8'd1;
  wire tile_ends = pass_ends && last_tap;
  wire group_ends = image_ends && last_tap;
  wire cmd_ends = group_ends && group == groups - 16'd1;

  // ---------------------------------------------------------------- may a word go?

  reg [1:0] used;  // banks that wait for their drain or are being filled for one
  reg oldest;  // the bank that post empties next

  wire bank_ok = !tile_starts || !used[bank];
  wire desc_ok = !tile_starts || !drain || desc_ready;
  wire end_ok = !cmd_ends || !cmd[12] || sig_load_ready;
  wire weights_ok = !pass_starts || block_valid;
  wire go = busy && bank_ok && desc_ok && end_ok && weights_ok;

  assign rd_en = go;
  assign rd_addr = tap_addr + pix_addr;
  assign acc_bank = bank;
  assign acc_pixel = pixel[LOG_DEPTH-1:0];
  assign acc_first = first_tap && clear;
  assign acc_last = tile_ends && drain;
  assign block_ready = busy && pass_starts && bank_ok && desc_ok && end_ok;
  assign desc_valid = busy && tile_starts && drain && bank_ok && end_ok && weights_ok;
  assign sig_load_valid = busy && cmd_ends && cmd[12] && bank_ok && desc_ok && weights_ok;
  assign stat_weights = busy && !weights_ok && bank_ok && desc_ok;
  assign idle = !busy;
  assign cmd_ready = !busy || (go && cmd_ends);

  // ---------------------------------------------------------------- what post must know of a tile

  wire first_tile = tile_ox == 16'd0 && tile_oy == 16'd0;
  wire [31:0] tile_pixels;  // of this tile, which may be the short last one
  reg [31:0] pixels_left;
  wire [31:0] total = {16'd0, out_w} * {16'd0, out_h};
  wire last_tile = pixels_left <= {16'd0, tile};
  wire last_group = group == groups - 16'd1;
  assign tile_pixels = last_tile ? pixels_left : {16'd0, tile};

  assign desc_data = {
    cmd[16+:8],  // layer
    cmd[15] && last_group && last_tile,  // stamp
    cmd[14] && last_group && last_tile,  // signal store
    cmd[10] && first_tile && group == 16'd0,  // wait for store
    1'b0,  // from the accumulators
    bank,
    first_tile,  // start at out_addr; else go on where the last tile ended
    tile_pixels,
    out_base + group,
    out_pitch,
    par_addr,
    cmd[416+:16] + group,  // res_base
    cmd[432+:16],  // res_pitch
    cmd[448+:16],  // elem_base
    cmd[464+:2],  // elem
    cmd[288+:29]  // zero_point .. bypass
  };

  // ---------------------------------------------------------------- state

  always @(posedge clk) begin
    if (!rst_n) busy <= 1'b0;
    else if (cmd_ready) busy <= cmd_valid;
  end

  always @(posedge clk) begin
    if (!rst_n) begin
      used   <= 2'b00;
      oldest <= 1'b0;
      bank   <= 1'b0;
    end else begin
      if (go && tile_starts && drain) used[bank] <= 1'b1;
      if (bank_release) begin
        used[oldest] <= 1'b0;
        oldest <= !oldest;
      end
      if (go && tile_ends && drain) bank <= !bank;
    end
  end

  wire [15:0] next_row_addr = row_addr + y_step;

  // Pixel loop: on within the pass, back to the tile's start, or on to the next tile's start.
  always @(posedge clk) begin
    if (cmd_ready) begin
      cmd <= cmd_data;
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
    if (cmd_ready || (go && group_ends)) begin
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

  // The product is there one cycle after the command, which is when the first tile may start.
  always @(posedge clk) begin
    if (cmd_ready) pixels_left <= {16'd0, cmd_data[160+:16]} * {16'd0, cmd_data[176+:16]};
    else if (go && group_ends) pixels_left <= total;
    else if (go && tile_ends) pixels_left <= pixels_left - {16'd0, tile};
  end

  // Tap loop.
  always @(posedge clk) begin
    if (cmd_ready) begin
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

  // Group loop.
  always @(posedge clk) begin
    if (cmd_ready) begin
      group <= 16'd0;
      par_addr <= cmd_data[256+:16];
    end else if (go && group_ends) begin
      group <= group + 16'd1;
      par_addr <= par_addr + 16'd9;
    end
  end

endmodule

`default_nettype wire
