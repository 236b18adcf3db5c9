// npu_conv_banks.v : the command at work, and what its words need before they may go
//
// npu_conv_seq and npu_conv_slide say where the next word of the command stands in the loops; here is decided
// whether it goes. A pass starts when its weights are there, a tile when its accumulator bank is free and post
// has room for its descriptor, and the last word waits for room for its token; between those points nothing can
// stall, because the accumulators always take a word.
`default_nettype none

module npu_conv_banks (
    input  wire         clk,
    input  wire         rst_n,
    input  wire         cmd_valid,
    output wire         cmd_ready,
    input  wire [511:0] cmd_data,
    // The command whose word is due. The loops start anew with cmd_data in a cycle with take.
    output wire         take,
    output reg  [511:0] cmd,
    // The word that is due.
    input  wire         pass_starts,     // it is the first for a weight block
    input  wire         tile_starts,
    input  wire         tile_ends,
    input  wire         group_ends,
    output wire         go,
    output reg          bank,            // its accumulators
    input  wire         block_valid,     // weights of the next pass
    output wire         block_ready,
    input  wire         bank_release,    // post has emptied the older bank
    // One descriptor for post, when a tile starts that will be drained.
    output wire         desc_valid,
    input  wire         desc_ready,
    output wire [172:0] desc_data,
    // Token for load, when the last word of a command is read.
    output wire         sig_load_valid,
    input  wire         sig_load_ready,
    output wire         idle,
    output wire         stat_weights
);

  reg busy;
  reg [15:0] group;
  reg [15:0] par_addr;

  wire [15:0] groups = cmd[192+:16];
  wire [15:0] tile = cmd[208+:16];
  wire [15:0] out_base = cmd[224+:16];
  wire [15:0] out_pitch = cmd[240+:16];
  wire drain = cmd[273];
  wire window = cmd[274];

  // ---------------------------------------------------------------- may a word go?

  reg [1:0] used;  // banks that wait for their drain or are being filled for one
  reg oldest;  // the bank that post empties next

  wire last_group = group == groups - 16'd1;
  wire cmd_ends = group_ends && last_group;
  wire bank_ok = !tile_starts || !used[bank];
  wire desc_ok = !tile_starts || !drain || desc_ready;
  wire end_ok = !cmd_ends || !cmd[12] || sig_load_ready;
  wire weights_ok = !pass_starts || block_valid;

  assign go = busy && bank_ok && desc_ok && end_ok && weights_ok;
  assign block_ready = busy && pass_starts && bank_ok && desc_ok && end_ok;
  assign desc_valid = busy && tile_starts && drain && bank_ok && end_ok && weights_ok;
  assign sig_load_valid = busy && cmd_ends && cmd[12] && bank_ok && desc_ok && weights_ok;
  assign stat_weights = busy && !weights_ok && bank_ok && desc_ok;
  assign idle = !busy;

  // ---------------------------------------------------------------- commands

  // The sums of a window come with its last word, those of a pass with each: a command of the other kind
  // starts a cycle later, so that an accumulator is written back before it is added to (npu_conv_acc.v).
  wire ends = go && cmd_ends;
  assign take = cmd_valid && (!busy || (ends && cmd_data[274] == window));
  assign cmd_ready = take;

  always @(posedge clk) begin
    if (!rst_n) busy <= 1'b0;
    else busy <= take || (busy && !ends);
  end

  always @(posedge clk) begin
    if (take) begin
      cmd <= cmd_data;
      group <= 16'd0;
      par_addr <= cmd_data[256+:16];
    end else if (go && group_ends) begin
      group <= group + 16'd1;
      par_addr <= par_addr + 16'd9;
    end
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

  // ---------------------------------------------------------------- what post must know of a tile

  reg first_tile;
  reg [31:0] pixels_left;  // of the group, this tile included
  wire [31:0] total = {16'd0, cmd[160+:16]} * {16'd0, cmd[176+:16]};
  wire last_tile = pixels_left <= {16'd0, tile};

  // The product is there one cycle after the command, which is when the first tile may start.
  always @(posedge clk) begin
    if (take) begin
      first_tile  <= 1'b1;
      pixels_left <= {16'd0, cmd_data[160+:16]} * {16'd0, cmd_data[176+:16]};
    end else if (go && group_ends) begin
      first_tile  <= 1'b1;
      pixels_left <= total;
    end else if (go && tile_ends) begin
      first_tile  <= 1'b0;
      pixels_left <= pixels_left - {16'd0, tile};
    end
  end

  assign desc_data = {
    cmd[16+:8],  // layer
    cmd[15] && last_group && last_tile,  // stamp
    cmd[14] && last_group && last_tile,  // signal store
    cmd[10] && first_tile && group == 16'd0,  // wait for store
    1'b0,  // from the accumulators
    bank,
    first_tile,  // start at out_addr; else go on where the last tile ended
    last_tile ? pixels_left : {16'd0, tile},  // the last may be shorter
    out_base + group,
    out_pitch,
    par_addr,
    cmd[416+:16] + group,  // res_base
    cmd[432+:16],  // res_pitch
    cmd[448+:16],  // elem_base
    cmd[464+:2],  // elem
    cmd[288+:29]  // zero_point .. bypass
  };

endmodule

`default_nettype wire
