// axi_rules.v : the AXI4 rules a manager can break, checked every cycle without Python
//
// The same rules, by the same names, as tb/agents/axi_checks.py, for runs in which Python sees bursts and not
// cycles. Only the first violation is kept: `rule` is its number in HDL_RULES there, 0 while there is none. The
// memory's own side (R and B) is not checked here: its block test does that.
`default_nettype none

module axi_rules #(
    parameter integer DATA_W = 128,
    parameter integer ADDR_W = 32,
    parameter integer ID_W   = 4
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
  localparam [1:0] INCR = 2'd1;
  localparam [3:0] HANDSHAKE_X = 4'd1;
  localparam [3:0] VALID_STABLE = 4'd2;
  localparam [3:0] PAYLOAD_STABLE = 4'd3;
  localparam [3:0] PAYLOAD_X = 4'd4;
  localparam [3:0] VALID_IN_RESET = 4'd5;
  localparam [3:0] BOUNDARY_4K = 4'd6;
  localparam [3:0] FULL_WIDTH_INCR = 4'd7;
  localparam [3:0] WLAST = 4'd8;

  reg awake;
  reg was_reset;
  reg [31:0] cycle;
  reg ar_waits;
  reg aw_waits;
  reg w_waits;
  reg [A_W-1:0] ar_old;
  reg [A_W-1:0] aw_old;
  reg [DATA_W+DATA_W/8:0] w_old;
  // Lengths of the writes whose data are still to come; far more than any memory accepts.
  reg [7:0] lengths[0:255];
  reg [7:0] len_put;
  reg [7:0] len_get;
  reg [7:0] beat;
  reg [15:0] reads;
  reg [15:0] writes;

  wire [A_W-1:0] ar = {arid, araddr, arlen, arsize, arburst};
  wire [A_W-1:0] aw = {awid, awaddr, awlen, awsize, awburst};
  wire [DATA_W+DATA_W/8:0] w = {wdata, wstrb, wlast};

  assign busy = reads != 0 || writes != 0;

  function bad_shape;
    input [2:0] size;
    input [1:0] burst;
    input [LOG_BYTES-1:0] low;
    bad_shape = size != SIZE || burst != INCR || low != 0;
  endfunction

  function crosses;
    input [11:0] offset;
    input [7:0] len;
    reg [20:0] past;
    begin
      past = {9'd0, offset} + (({13'd0, len} + 21'd1) << LOG_BYTES);
      crosses = past > 21'd4096;
    end
  endfunction

  initial begin
    awake = 1'b0;
    was_reset = 1'b0;
    rule = 4'd0;
    rule_cycle = 32'd0;
    cycle = 32'd0;
  end

  task broken;
    input [3:0] which;
    if (rule == 4'd0) begin
      rule = which;
      rule_cycle = cycle;
      $display("axi_rules: rule %0d broken in cycle %0d, see HDL_RULES in tb/agents/axi_checks.py",
               which, cycle);
    end
  endtask

  always @(posedge clk) begin
    cycle <= cycle + 1;
    was_reset <= !rst_n;
    if (!rst_n) begin
      awake <= 1'b1;
      if (awake && was_reset && (arvalid || awvalid || wvalid)) broken(VALID_IN_RESET);
      ar_waits <= 1'b0;
      aw_waits <= 1'b0;
      w_waits <= 1'b0;
      len_put <= 8'd0;
      len_get <= 8'd0;
      beat <= 8'd0;
      reads <= 16'd0;
      writes <= 16'd0;
    end else if (awake) begin
      if (^{arvalid, awvalid, wvalid, rready, bready} === 1'bx) broken(HANDSHAKE_X);

      ar_waits <= arvalid && !arready;
      if (ar_waits && !arvalid) broken(VALID_STABLE);
      if (ar_waits && arvalid && ar != ar_old) broken(PAYLOAD_STABLE);
      if (arvalid) begin
        ar_old <= ar;
        if (^ar === 1'bx) broken(PAYLOAD_X);
        if (bad_shape(arsize, arburst, araddr[LOG_BYTES-1:0])) broken(FULL_WIDTH_INCR);
        if (crosses(araddr[11:0], arlen)) broken(BOUNDARY_4K);
      end
      reads <= reads + {15'd0, arvalid && arready} - {15'd0, rvalid && rready && rlast};

      aw_waits <= awvalid && !awready;
      if (aw_waits && !awvalid) broken(VALID_STABLE);
      if (aw_waits && awvalid && aw != aw_old) broken(PAYLOAD_STABLE);
      if (awvalid) begin
        aw_old <= aw;
        if (^aw === 1'bx) broken(PAYLOAD_X);
        if (bad_shape(awsize, awburst, awaddr[LOG_BYTES-1:0])) broken(FULL_WIDTH_INCR);
        if (crosses(awaddr[11:0], awlen)) broken(BOUNDARY_4K);
        if (awready) begin
          lengths[len_put] <= awlen;
          len_put <= len_put + 8'd1;
        end
      end
      writes  <= writes + {15'd0, awvalid && awready} - {15'd0, bvalid && bready};

      // The memory takes no data before their address.
      w_waits <= wvalid && !wready;
      if (w_waits && !wvalid) broken(VALID_STABLE);
      if (w_waits && wvalid && w != w_old) broken(PAYLOAD_STABLE);
      if (wvalid) begin
        w_old <= w;
        if (^w === 1'bx) broken(PAYLOAD_X);
        if (wready) begin
          if (wlast != (beat == lengths[len_get])) broken(WLAST);
          beat <= wlast ? 8'd0 : beat + 8'd1;
          if (wlast) len_get <= len_get + 8'd1;
        end
      end
    end
  end

endmodule

`resetall
