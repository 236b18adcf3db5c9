// axi_lite_host.v : the host of a whole-chip simulation, an access at a time
//
// Python fills in addr, data and write and changes `request`; when the access is over, `reply` takes the value of
// `request`. Nothing in Python then waits for clock edges, and the clock can live in Verilog.
`default_nettype none

module axi_lite_host (
    input  wire        clk,
    input  wire        rst_n,
    input  wire        request,
    input  wire        write,
    input  wire [13:0] addr,
    input  wire [31:0] data,
    output reg         reply,
    output reg  [31:0] reply_data,
    output reg  [ 1:0] reply_resp,
    output wire [13:0] m_axi_awaddr,
    output reg         m_axi_awvalid,
    input  wire        m_axi_awready,
    output wire [31:0] m_axi_wdata,
    output wire [ 3:0] m_axi_wstrb,
    output reg         m_axi_wvalid,
    input  wire        m_axi_wready,
    input  wire [ 1:0] m_axi_bresp,
    input  wire        m_axi_bvalid,
    output wire        m_axi_bready,
    output wire [13:0] m_axi_araddr,
    output reg         m_axi_arvalid,
    input  wire        m_axi_arready,
    input  wire [31:0] m_axi_rdata,
    input  wire [ 1:0] m_axi_rresp,
    input  wire        m_axi_rvalid,
    output wire        m_axi_rready
);

  reg busy;

  assign m_axi_awaddr = addr;
  assign m_axi_wdata  = data;
  assign m_axi_wstrb  = 4'hF;
  assign m_axi_araddr = addr;
  assign m_axi_bready = busy;
  assign m_axi_rready = busy;

  initial reply = 1'b0;

  always @(posedge clk) begin
    if (!rst_n) begin
      busy <= 1'b0;
      m_axi_awvalid <= 1'b0;
      m_axi_wvalid <= 1'b0;
      m_axi_arvalid <= 1'b0;
      // An access that a reset cut off is over, without an answer.
      reply <= request;
    end else if (!busy) begin
      if (request != reply) begin
        busy <= 1'b1;
        m_axi_awvalid <= write;
        m_axi_wvalid <= write;
        m_axi_arvalid <= !write;
      end
    end else begin
      if (m_axi_awready) m_axi_awvalid <= 1'b0;
      if (m_axi_wready) m_axi_wvalid <= 1'b0;
      if (m_axi_arready) m_axi_arvalid <= 1'b0;
      if (m_axi_bvalid || m_axi_rvalid) begin
        busy <= 1'b0;
        reply <= request;
        reply_data <= m_axi_rdata;
        reply_resp <= m_axi_bvalid ? m_axi_bresp : m_axi_rresp;
      end
    end
  end

endmodule

`default_nettype wire
