// burst_rules.v : the rules on the bursts of one AXI4 port, for simulators and for proofs
//
// broken has a bit per rule, from bit 0 in the order of BURST_RULES in tb/agents/rules.py, and holds at each
// rising edge for what that edge samples, as in channel_rules.v, which says what moved. A port without one of the
// directions ties its *_moved low.
`default_nettype none

module burst_rules #(
    parameter integer DATA_W = 128
) (
    input  wire        clk,
    input  wire        rst_n,
    input  wire        ar_moved,
    input  wire [11:0] araddr,    // within 4 KiB
    input  wire [ 7:0] arlen,
    input  wire [ 2:0] arsize,
    input  wire [ 1:0] arburst,
    input  wire        aw_moved,
    input  wire [11:0] awaddr,
    input  wire [ 7:0] awlen,
    input  wire [ 2:0] awsize,
    input  wire [ 1:0] awburst,
    input  wire        w_moved,
    input  wire        wlast,
    output wire [ 4:0] broken
);

  localparam integer LOG_BYTES = $clog2(DATA_W / 8);
  localparam [2:0] SIZE = LOG_BYTES[2:0];
  localparam [1:0] FIXED = 2'd0;
  localparam [1:0] INCR = 2'd1;
  localparam [1:0] WRAP = 2'd2;

  // AXI4 writes have no ID on their data: bursts of data and addresses come in the same order, and either may
  // lead. Both lists are far longer than what any memory accepts.
  reg [7:0] lengths[0:255];  // of addresses whose data are still to come
  reg [7:0] early[0:255];  // last beat of data whose address is still to come
  reg [7:0] addresses;
  reg [7:0] bursts;
  reg [7:0] beat;

  wire [7:0] lead = addresses - bursts;  // signed: more than 127 bursts apart is not watched
  wire data_lead = lead[7];
  wire [7:0] w_len = lead == 8'd0 ? awlen : lengths[bursts];
  wire w_addressed = lead == 8'd0 ? aw_moved : !data_lead;
  wire misplaced = w_addressed && wlast != (beat == w_len);
  wire short_or_long = data_lead ? early[addresses] != awlen : lead == 8'd0 && beat > awlen;

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
      shape = 4'd0;
      if (burst == 2'd3 || (burst == WRAP && !wraps) || (burst == FIXED && len > 8'd15))
        shape[0] = 1'b1;
      else if (size > SIZE) shape[1] = 1'b1;
      else if (burst == INCR && past > 21'd4096) shape[2] = 1'b1;
      else if (burst != INCR || size != SIZE || low != 0) shape[3] = 1'b1;
    end
  endfunction

  wire [3:0] address = (ar_moved ? shape(
      araddr, arlen, arsize, arburst
  ) : 4'd0) | (aw_moved ? shape(
      awaddr, awlen, awsize, awburst
  ) : 4'd0);

  assign broken[0] = address[0];  // BURST_TYPE
  assign broken[1] = address[1];  // BURST_SIZE
  assign broken[2] = address[2];  // BOUNDARY_4K
  assign broken[3] = address[3];  // FULL_WIDTH_INCR
  assign broken[4] = (aw_moved && short_or_long) || (w_moved && misplaced);  // WLAST

  always @(posedge clk) begin
    if (!rst_n) begin
      addresses <= 8'd0;
      bursts <= 8'd0;
      beat <= 8'd0;
    end else begin
      if (aw_moved) begin
        lengths[addresses] <= awlen;
        addresses <= addresses + 8'd1;
      end
      if (w_moved) begin
        early[bursts] <= beat;
        beat <= wlast ? 8'd0 : beat + 8'd1;
        if (wlast) bursts <= bursts + 8'd1;
      end
    end
  end

endmodule

`resetall
