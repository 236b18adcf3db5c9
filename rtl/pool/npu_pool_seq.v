// npu_pool_seq.v : the order in which pool reads its taps
//
// Loops, outermost first: channel block, output row, output column, kernel row, kernel column. Addresses are
// sums of steps that the command carries; coordinates are counted beside them to tell padding from data.
`default_nettype none

module npu_pool_seq (
    input  wire         clk,
    input  wire         rst_n,
    input  wire         cmd_valid,
    output wire         cmd_ready,
    input  wire [511:0] cmd_data,
    input  wire         step,            // low: hold everything
    output wire         rd_en,
    output wire [ 15:0] rd_addr,
    output wire [  1:0] kind,
    output wire         tap_counts,      // inside the valid rectangle
    output wire         tap_first,
    output wire         tap_last,
    // One descriptor for post per channel block.
    output wire         desc_valid,
    input  wire         desc_ready,
    output wire [172:0] desc_data,
    // Token for load, when the last word of a command is read.
    output wire         sig_load_valid,
    input  wire         sig_load_ready,
    output wire         idle
);

  reg busy;
  reg [511:0] cmd;

  wire [15:0] act_base = cmd[32+:16];
  wire [15:0] x_step = cmd[64+:16];
  wire [15:0] y_step = cmd[80+:16];
  wire [15:0] kx_step = cmd[96+:16];
  wire [15:0] ky_step = cmd[112+:16];
  wire [7:0] kw = cmd[128+:8];
  wire [7:0] kh = cmd[136+:8];
  wire [15:0] blocks = cmd[144+:16];
  wire [15:0] out_w = cmd[160+:16];
  wire [15:0] out_h = cmd[176+:16];
  wire [15:0] out_base = cmd[224+:16];
  wire [15:0] out_pitch = cmd[240+:16];
  wire [15:0] x_stride = cmd[320+:16];
  wire [15:0] y_stride = cmd[336+:16];
  wire [15:0] x_lo = cmd[352+:16];
  wire [15:0] x_hi = cmd[368+:16];
  wire [15:0] y_lo = cmd[384+:16];
  wire [15:0] y_hi = cmd[400+:16];
  assign kind = cmd[192+:2];

  reg [15:0] block;
  reg [15:0] par_addr;
  reg [15:0] ox;
  reg [15:0] oy;
  reg [7:0] kx;
  reg [7:0] ky;
  reg [15:0] row_addr;  // of output row oy, this block
  reg [15:0] pix_addr;  // of output pixel (oy, ox)
  reg [15:0] ky_addr;  // of kernel row ky
  reg [15:0] addr;
  reg [15:0] win_x;  // coordinates of the window
  reg [15:0] win_y;
  reg [15:0] x;  // coordinates of the tap
  reg [15:0] y;
  reg desc_sent;  // for this block

  wire kx_ends = kx == kw - 8'd1;
  wire win_ends = kx_ends && ky == kh - 8'd1;
  wire line_ends = win_ends && ox == out_w - 16'd1;
  wire block_ends = line_ends && oy == out_h - 16'd1;
  wire last_block = block == blocks - 16'd1;
  wire cmd_ends = block_ends && last_block;

  wire desc_ok = desc_sent || desc_ready;
  wire end_ok = !cmd_ends || !cmd[12] || sig_load_ready;
  wire go = busy && step && desc_ok && end_ok;

  assign rd_en = go;
  assign rd_addr = addr;
  assign tap_counts = x >= x_lo && x < x_hi && y >= y_lo && y < y_hi;
  assign tap_first = kx == 8'd0 && ky == 8'd0;
  assign tap_last = win_ends;
  assign sig_load_valid = busy && step && desc_ok && cmd_ends && cmd[12];
  assign desc_valid = busy && !desc_sent && step && end_ok;
  assign idle = !busy;
  assign cmd_ready = !busy || (go && cmd_ends);

  assign desc_data = {
    cmd[16+:8],  // layer
    cmd[15] && last_block,  // stamp
    cmd[14] && last_block,  // signal store
    cmd[10] && block == 16'd0,  // wait for store
    1'b1,  // from pool
    1'b0,  // no bank
    1'b1,  // start at out_addr
    {16'd0, out_w} * {16'd0, out_h},
    out_base + block,
    out_pitch,
    par_addr,
    cmd[416+:16] + block,  // res_base
    cmd[432+:16],  // res_pitch
    cmd[448+:16],  // elem_base
    cmd[464+:2],  // elem
    cmd[288+:29]  // zero_point .. bypass
  };

  always @(posedge clk) begin
    if (!rst_n) busy <= 1'b0;
    else if (cmd_ready) busy <= cmd_valid;
  end

  always @(posedge clk) begin
    if (cmd_ready) desc_sent <= 1'b0;
    else if (go) desc_sent <= !block_ends;
  end

  wire [15:0] next_ky_addr = ky_addr + ky_step;
  wire [15:0] next_pix_addr = pix_addr + x_step;
  wire [15:0] next_row_addr = row_addr + y_step;
  wire [15:0] next_block_addr = act_base + block + 16'd1;

  // Addresses: each level restarts those below it.
  always @(posedge clk) begin
    if (cmd_ready) begin
      row_addr <= cmd_data[32+:16];
      pix_addr <= cmd_data[32+:16];
      ky_addr <= cmd_data[32+:16];
      addr <= cmd_data[32+:16];
    end else if (go) begin
      addr <= addr + kx_step;
      if (kx_ends) begin
        ky_addr <= next_ky_addr;
        addr <= next_ky_addr;
      end
      if (win_ends) begin
        pix_addr <= next_pix_addr;
        ky_addr <= next_pix_addr;
        addr <= next_pix_addr;
      end
      if (line_ends) begin
        row_addr <= next_row_addr;
        pix_addr <= next_row_addr;
        ky_addr <= next_row_addr;
        addr <= next_row_addr;
      end
      if (block_ends) begin
        row_addr <= next_block_addr;
        pix_addr <= next_block_addr;
        ky_addr <= next_block_addr;
        addr <= next_block_addr;
      end
    end
  end

  // Counters and coordinates, in the same order.
  always @(posedge clk) begin
    if (cmd_ready) begin
      cmd <= cmd_data;
      block <= 16'd0;
      par_addr <= cmd_data[256+:16];
      ox <= 16'd0;
      oy <= 16'd0;
      kx <= 8'd0;
      ky <= 8'd0;
      win_x <= 16'd0;
      win_y <= 16'd0;
      x <= 16'd0;
      y <= 16'd0;
    end else if (go) begin
      kx <= kx + 8'd1;
      x  <= x + 16'd1;
      if (kx_ends) begin
        kx <= 8'd0;
        ky <= ky + 8'd1;
        x  <= win_x;
        y  <= y + 16'd1;
      end
      if (win_ends) begin
        ky <= 8'd0;
        ox <= ox + 16'd1;
        win_x <= win_x + x_stride;
        x <= win_x + x_stride;
        y <= win_y;
      end
      if (line_ends) begin
        ox <= 16'd0;
        oy <= oy + 16'd1;
        win_x <= 16'd0;
        win_y <= win_y + y_stride;
        x <= 16'd0;
        y <= win_y + y_stride;
      end
      if (block_ends) begin
        oy <= 16'd0;
        block <= block + 16'd1;
        par_addr <= par_addr + 16'd9;
        win_y <= 16'd0;
        y <= 16'd0;
      end
    end
  end

endmodule

`default_nettype wire
