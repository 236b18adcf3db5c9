// npu_read_mux.v : two read managers onto one AXI read port
//
// Manager 0 (fetch) goes first: it asks rarely and everything waits for it. Data find their way back by ID, so the
// memory may answer the two out of order. An address once shown stays until it is taken.
`default_nettype none

module npu_read_mux #(
    parameter integer N = 16,
    parameter integer ADDR_W = 32,
    parameter integer ID_W = 4
) (
    input  wire              clk,
    input  wire              rst_n,
    input  wire              s0_ar_valid,
    output wire              s0_ar_ready,
    input  wire [ADDR_W-1:0] s0_ar_addr,
    input  wire [       7:0] s0_ar_len,
    output wire              s0_r_valid,
    input  wire              s0_r_ready,
    input  wire              s1_ar_valid,
    output wire              s1_ar_ready,
    input  wire [ADDR_W-1:0] s1_ar_addr,
    input  wire [       7:0] s1_ar_len,
    output wire              s1_r_valid,
    input  wire              s1_r_ready,
    output wire [  ID_W-1:0] m_axi_arid,
    output wire [ADDR_W-1:0] m_axi_araddr,
    output wire [       7:0] m_axi_arlen,
    output wire [       2:0] m_axi_arsize,
    output wire [       1:0] m_axi_arburst,
    output wire              m_axi_arvalid,
    input  wire              m_axi_arready,
    input  wire [  ID_W-1:0] m_axi_rid,
    input  wire              m_axi_rvalid,
    output wire              m_axi_rready
);

  localparam [ID_W-1:0] ID_LOAD = 1;
  localparam integer LOG_N = $clog2(N);

  reg  locked;  // an address of manager 1 waits for the memory
  wire pick1 = locked || !s0_ar_valid;

  always @(posedge clk) begin
    if (!rst_n) locked <= 1'b0;
    else locked <= pick1 && s1_ar_valid && !m_axi_arready;
  end

  assign m_axi_arid = pick1 ? ID_LOAD : {ID_W{1'b0}};
  assign m_axi_araddr = pick1 ? s1_ar_addr : s0_ar_addr;
  assign m_axi_arlen = pick1 ? s1_ar_len : s0_ar_len;
  assign m_axi_arsize = LOG_N[2:0];
  assign m_axi_arburst = 2'b01;
  assign m_axi_arvalid = pick1 ? s1_ar_valid : s0_ar_valid;
  assign s0_ar_ready = !pick1 && m_axi_arready;
  assign s1_ar_ready = pick1 && m_axi_arready;

  // Without a beat the ID means nothing, and must not make ready mean nothing.
  wire to_load = m_axi_rvalid && m_axi_rid == ID_LOAD;
  assign s0_r_valid   = m_axi_rvalid && !to_load;
  assign s1_r_valid   = to_load;
  assign m_axi_rready = to_load ? s1_r_ready : s0_r_ready;

endmodule

`default_nettype wire
