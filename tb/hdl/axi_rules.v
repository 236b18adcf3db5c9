// axi_rules.v : the AXI4 rules a manager can break, checked every cycle without Python
//
// The same rules, by the same names, as tb/agents/axi_checks.py, for runs in which Python sees bursts and not
// cycles, and for proofs. Only the first violation is kept: `rule` is its number in HDL_RULES of
// tb/agents/rules.py, 0 while there is none. The memory's own side (R and B) is not checked here: its block test
// does that.
`default_nettype none

module axi_rules #(
    parameter integer DATA_W = 128,
    parameter integer ADDR_W = 32,
    parameter integer ID_W = 4,
    // Require INCR bursts of full-width aligned beats, the only ones that this core sends.
    parameter integer FULL_WIDTH = 1
) (
    input  wire                clk,
    input  wire                rst_n,
    input  wire                arvalid,
    input  wire                arready,
    input  wire [    ID_W-1:0] arid,
    input  wire [  ADDR_W-1:0] araddr,
    input  wire [         7:0] arlen,
    input  wire [         2:0] arsize,
    input  wire [         1:0] arburst,
    input  wire                rvalid,
    input  wire                rready,
    input  wire                rlast,
    input  wire                awvalid,
    input  wire                awready,
    input  wire [    ID_W-1:0] awid,
    input  wire [  ADDR_W-1:0] awaddr,
    input  wire [         7:0] awlen,
    input  wire [         2:0] awsize,
    input  wire [         1:0] awburst,
    input  wire                wvalid,
    input  wire                wready,
    input  wire [  DATA_W-1:0] wdata,
    input  wire [DATA_W/8-1:0] wstrb,
    input  wire                wlast,
    input  wire                bvalid,
    input  wire                bready,
    output reg  [         3:0] rule,
    output reg  [        31:0] rule_cycle,
    output wire                busy         // a burst is under way
);

  localparam integer LOG_BYTES = $clog2(DATA_W / 8);
  localparam integer A_W = ID_W + ADDR_W + 13;
  localparam [2:0] SIZE = LOG_BYTES[2:0];
  localparam [1:0] FIXED = 2'd0;
  localparam [1:0] INCR = 2'd1;
  localparam [1:0] WRAP = 2'd2;
  // Places in HDL_RULES. The first six are the bits of channel_rules.
  localparam [3:0] NONE = 4'd0;
  localparam [3:0] HANDSHAKE_X = 4'd1;
  localparam [3:0] BURST_TYPE = 4'd7;
  localparam [3:0] BURST_SIZE = 4'd8;
  localparam [3:0] BOUNDARY_4K = 4'd9;
  localparam [3:0] FULL_WIDTH_INCR = 4'd10;
  localparam [3:0] WLAST = 4'd11;

  reg awake;
  reg [31:0] cycle;
  // AXI4 writes have no ID on their data: bursts of data and addresses come in the same order, and either may
  // lead. Both lists are far longer than what any memory accepts.
  reg [7:0] lengths[0:255];  // of addresses whose data are still to come
  reg [7:0] early[0:255];  // last beat of data whose address is still to come
  reg [7:0] addresses;
  reg [7:0] bursts;
  reg [7:0] beat;
  reg [15:0] reads;
  reg [15:0] writes;
  integer i;

  wire ar_moved;
  wire aw_moved;
  wire w_moved;
  wire [5:0] ar_broken;
  wire [5:0] aw_broken;
  wire [5:0] w_broken;
  wire [5:0] handshake = ar_broken | aw_broken | w_broken;
  wire [7:0] lead = addresses - bursts;  // signed: more than 127 bursts apart is not watched
  wire data_lead = lead[7];
  wire [7:0] w_len = lead == 8'd0 ? awlen : lengths[bursts];
  wire w_addressed = lead == 8'd0 ? aw_moved : !data_lead;

  assign busy = reads != 0 || writes != 0;

  channel_rules #(
      .PAYLOAD_W(A_W)
  ) u_ar (
      .clk(clk),
      .rst_n(rst_n),
      .valid(arvalid),
      .ready(arready),
      .payload({arid, araddr, arlen, arsize, arburst}),
      .moved(ar_moved),
      .broken(ar_broken)
  );

  channel_rules #(
      .PAYLOAD_W(A_W)
  ) u_aw (
      .clk(clk),
      .rst_n(rst_n),
      .valid(awvalid),
      .ready(awready),
      .payload({awid, awaddr, awlen, awsize, awburst}),
      .moved(aw_moved),
      .broken(aw_broken)
  );

  channel_rules #(
      .PAYLOAD_W(DATA_W + DATA_W / 8 + 1)
  ) u_w (
      .clk(clk),
      .rst_n(rst_n),
      .valid(wvalid),
      .ready(wready),
      .payload({wdata, wstrb, wlast}),
      .moved(w_moved),
      .broken(w_broken)
  );

  // The rule that an address breaks.
  function [3:0] shape;
    input [11:0] offset;
    input [7:0] len;
    input [2:0] size;
    input [1:0] burst;
    reg [11:0] low;  // below the beat
    reg wraps;
    reg [20:0] past;
    begin
      low   = offset & ((12'd1 << size) - 12'd1);
      wraps = (len == 8'd1 || len == 8'd3 || len == 8'd7 || len == 8'd15) && low == 0;
      past  = {9'd0, offset & ~low} + (({13'd0, len} + 21'd1) << size);
      if (burst == 2'd3 || (burst == WRAP && !wraps) || (burst == FIXED && len > 8'd15))
        shape = BURST_TYPE;
      else if (size > SIZE) shape = BURST_SIZE;
      else if (burst == INCR && past > 21'd4096) shape = BOUNDARY_4K;
      else if (FULL_WIDTH != 0 && (burst != INCR || size != SIZE || low != 0))
        shape = FULL_WIDTH_INCR;
      else shape = NONE;
    end
  endfunction

  initial begin
    awake = 1'b0;
    rule = NONE;
    rule_cycle = 32'd0;
    cycle = 32'd0;
  end

  task broken;
    input [3:0] which;
    if (rule == NONE && which != NONE) begin
      rule = which;
      rule_cycle = cycle;
      $display("axi_rules: rule %0d broken in cycle %0d, see HDL_RULES in tb/agents/rules.py",
               which, cycle);
    end
  endtask

  always @(posedge clk) begin
    cycle <= cycle + 1;
    for (i = 0; i < 6; i = i + 1) if (handshake[i]) broken(HANDSHAKE_X + i[3:0]);
    if (!rst_n) begin
      awake <= 1'b1;
      addresses <= 8'd0;
      bursts <= 8'd0;
      beat <= 8'd0;
      reads <= 16'd0;
      writes <= 16'd0;
    end else if (awake) begin
      if (^{rready, bready} === 1'bx) broken(HANDSHAKE_X);
      if (ar_moved) broken(shape(araddr[11:0], arlen, arsize, arburst));
      reads  <= reads + {15'd0, ar_moved} - {15'd0, rvalid && rready && rlast};
      writes <= writes + {15'd0, aw_moved} - {15'd0, bvalid && bready};
      if (aw_moved) begin
        broken(shape(awaddr[11:0], awlen, awsize, awburst));
        lengths[addresses] <= awlen;
        addresses <= addresses + 8'd1;
        if (data_lead ? early[addresses] != awlen : lead == 8'd0 && beat > awlen) broken(WLAST);
      end
      if (w_moved) begin
        if (w_addressed && wlast != (beat == w_len)) broken(WLAST);
        early[bursts] <= beat;
        beat <= wlast ? 8'd0 : beat + 8'd1;
        if (wlast) bursts <= bursts + 8'd1;
      end
    end
  end

endmodule

`resetall
