// axi_rules.v : the rules that the manager of an AXI4 port can break, checked every cycle without Python
//
// channel_rules.v and burst_rules.v for benches in which Python sees bursts and not cycles. Only the first
// violation is kept: `rule` is its number in HDL_RULES of tb/agents/rules.py, 0 while there is none. The memory's
// own side (R and B) is not checked here: its block test does that.
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

  localparam integer A_W = ID_W + ADDR_W + 13;
  // Places in HDL_RULES: the bits of channel_rules, then those of burst_rules.
  localparam [3:0] NONE = 4'd0;
  localparam [3:0] HANDSHAKE_X = 4'd1;

  reg awake;
  reg [31:0] cycle;
  reg [15:0] reads;
  reg [15:0] writes;
  integer i;

  wire ar_moved;
  wire aw_moved;
  wire w_moved;
  wire [5:0] ar_broken;
  wire [5:0] aw_broken;
  wire [5:0] w_broken;
  wire [4:0] bursts_broken;
  wire [4:0] wanted = FULL_WIDTH != 0 ? 5'b11111 : 5'b10111;
  wire [10:0] now = {bursts_broken & wanted, ar_broken | aw_broken | w_broken};

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

  burst_rules #(
      .DATA_W(DATA_W)
  ) u_bursts (
      .clk(clk),
      .rst_n(rst_n),
      .ar_moved(ar_moved),
      .araddr(araddr[11:0]),
      .arlen(arlen),
      .arsize(arsize),
      .arburst(arburst),
      .aw_moved(aw_moved),
      .awaddr(awaddr[11:0]),
      .awlen(awlen),
      .awsize(awsize),
      .awburst(awburst),
      .w_moved(w_moved),
      .wlast(wlast),
      .broken(bursts_broken)
  );

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
    if (now != 0) for (i = 0; i < 11; i = i + 1) if (now[i]) broken(HANDSHAKE_X + i[3:0]);
    if (!rst_n) begin
      awake  <= 1'b1;
      reads  <= 16'd0;
      writes <= 16'd0;
    end else if (awake) begin
      if (^{rready, bready} === 1'bx) broken(HANDSHAKE_X);
      reads  <= reads + {15'd0, ar_moved} - {15'd0, rvalid && rready && rlast};
      writes <= writes + {15'd0, aw_moved} - {15'd0, bvalid && bready};
    end
  end

endmodule

`resetall
