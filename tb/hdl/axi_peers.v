// axi_peers.v : bare wires between a manager and a subordinate in Python, and axi_rules on the same wires
//
// raw_*: a stream of nobody, for the tests of the rules.
`default_nettype none

module axi_peers #(
    parameter integer DATA_W = 128,
    parameter integer ID_W   = 4
) (
    input wire clk,
    input wire rst_n,
    input wire axi_arvalid,
    input wire axi_arready,
    input wire [ID_W-1:0] axi_arid,
    input wire [31:0] axi_araddr,
    input wire [7:0] axi_arlen,
    input wire [2:0] axi_arsize,
    input wire [1:0] axi_arburst,
    input wire axi_arlock,
    input wire axi_rvalid,
    input wire axi_rready,
    input wire [ID_W-1:0] axi_rid,
    input wire [DATA_W-1:0] axi_rdata,
    input wire [1:0] axi_rresp,
    input wire axi_rlast,
    input wire axi_awvalid,
    input wire axi_awready,
    input wire [ID_W-1:0] axi_awid,
    input wire [31:0] axi_awaddr,
    input wire [7:0] axi_awlen,
    input wire [2:0] axi_awsize,
    input wire [1:0] axi_awburst,
    input wire axi_awlock,
    input wire axi_wvalid,
    input wire axi_wready,
    input wire [DATA_W-1:0] axi_wdata,
    input wire [DATA_W/8-1:0] axi_wstrb,
    input wire axi_wlast,
    input wire axi_bvalid,
    input wire axi_bready,
    input wire [ID_W-1:0] axi_bid,
    input wire [1:0] axi_bresp,
    input wire lite_arvalid,
    input wire lite_arready,
    input wire [31:0] lite_araddr,
    input wire lite_rvalid,
    input wire lite_rready,
    input wire [DATA_W-1:0] lite_rdata,
    input wire [1:0] lite_rresp,
    input wire lite_awvalid,
    input wire lite_awready,
    input wire [31:0] lite_awaddr,
    input wire lite_wvalid,
    input wire lite_wready,
    input wire [DATA_W-1:0] lite_wdata,
    input wire [DATA_W/8-1:0] lite_wstrb,
    input wire lite_bvalid,
    input wire lite_bready,
    input wire [1:0] lite_bresp,
    input wire raw_valid,
    input wire raw_ready,
    input wire [1:0] raw_data,
    output wire [3:0] rule,
    output wire [31:0] rule_cycle,
    output wire busy
);

  wire unused = &{1'b0, {
    axi_arlock, axi_awlock, axi_rid, axi_rdata, axi_rresp, axi_bid, axi_bresp
  }, {
    lite_arvalid, lite_arready, lite_araddr, lite_rvalid, lite_rready, lite_rdata, lite_rresp
  }, {
    lite_awvalid, lite_awready, lite_awaddr, lite_wvalid, lite_wready, lite_wdata, lite_wstrb
  }, {
    lite_bvalid, lite_bready, lite_bresp
  }, {
    raw_valid, raw_ready, raw_data
  }};

  axi_rules #(
      .DATA_W(DATA_W),
      .ID_W(ID_W),
      .FULL_WIDTH(0)
  ) u_rules (
      .clk(clk),
      .rst_n(rst_n),
      .arvalid(axi_arvalid),
      .arready(axi_arready),
      .arid(axi_arid),
      .araddr(axi_araddr),
      .arlen(axi_arlen),
      .arsize(axi_arsize),
      .arburst(axi_arburst),
      .rvalid(axi_rvalid),
      .rready(axi_rready),
      .rlast(axi_rlast),
      .awvalid(axi_awvalid),
      .awready(axi_awready),
      .awid(axi_awid),
      .awaddr(axi_awaddr),
      .awlen(axi_awlen),
      .awsize(axi_awsize),
      .awburst(axi_awburst),
      .wvalid(axi_wvalid),
      .wready(axi_wready),
      .wdata(axi_wdata),
      .wstrb(axi_wstrb),
      .wlast(axi_wlast),
      .bvalid(axi_bvalid),
      .bready(axi_bready),
      .rule(rule),
      .rule_cycle(rule_cycle),
      .busy(busy)
  );

endmodule

`resetall
