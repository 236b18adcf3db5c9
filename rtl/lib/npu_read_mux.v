// npu_read_mux.v : two read managers onto one AXI read port
//
// Manager 0 (fetch) goes first: it asks rarely and everything waits for it. Data find their way back by ID, so the
// memory may answer the two out of order. An address once shown stays until it is taken. Beats pass a queue of two:
// AXI allows no path from its inputs, the ID among them, to its outputs, such as their ready (IHI 0022H A3.1.1).
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
    // Of the manager whose r_valid is high.
    output wire [   8*N-1:0] r_data,
    output wire [       1:0] r_resp,
    output wire              r_last,
    output wire [  ID_W-1:0] m_axi_arid,
    output wire [ADDR_W-1:0] m_axi_araddr,
    output wire [       7:0] m_axi_arlen,
    output wire [       2:0] m_axi_arsize,
    output wire [       1:0] m_axi_arburst,
    output wire              m_axi_arvalid,
    input  wire              m_axi_arready,
    input  wire [  ID_W-1:0] m_axi_rid,
    input  wire [   8*N-1:0] m_axi_rdata,
    input  wire [       1:0] m_axi_rresp,
    input  wire              m_axi_rlast,
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

  wire beat_valid, to_load;
  wire [1:0] unused_level;
  wire unused = &{1'b0, unused_level};

  npu_fifo #(
      .W(8 * N + 4),
      .LOG_D(1)
  ) u_beats (
      .clk(clk),
      .rst_n(rst_n),
      .in_valid(m_axi_rvalid),
      .in_ready(m_axi_rready),
      .in_data({m_axi_rid == ID_LOAD, m_axi_rlast, m_axi_rresp, m_axi_rdata}),
      .out_valid(beat_valid),
      .out_ready(to_load ? s1_r_ready : s0_r_ready),
      .out_data({to_load, r_last, r_resp, r_data}),
      .level(unused_level)
  );

  assign s0_r_valid = beat_valid && !to_load;
  assign s1_r_valid = beat_valid && to_load;

endmodule

`default_nettype wire
