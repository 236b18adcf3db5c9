// lib_bench.v : the blocks of rtl/lib side by side, each on pins of its own, so that one build tests them all
`default_nettype none

module lib_bench #(
    parameter integer N = 16,
    parameter integer ADDR_W = 32,
    parameter integer MAX_BURST = 64,
    parameter integer LOG_D = 2
) (
    input  wire              clk,
    input  wire              rst_n,
    // npu_fifo
    input  wire              fifo_in_valid,
    output wire              fifo_in_ready,
    input  wire [      15:0] fifo_in_data,
    output wire              fifo_out_valid,
    input  wire              fifo_out_ready,
    output wire [      15:0] fifo_out_data,
    output wire [   LOG_D:0] fifo_level,
    // npu_tokens
    input  wire              tokens_in_valid,
    output wire              tokens_in_ready,
    output wire              tokens_out_valid,
    input  wire              tokens_out_ready,
    // npu_burst_walk
    input  wire              walk_cmd_valid,
    output wire              walk_cmd_ready,
    input  wire [ADDR_W-1:0] walk_cmd_address,
    input  wire [ADDR_W-1:0] walk_cmd_stride_y,
    input  wire [ADDR_W-1:0] walk_cmd_stride_x,
    input  wire [      15:0] walk_cmd_run,
    input  wire [      15:0] walk_cmd_count_x,
    input  wire [      15:0] walk_cmd_count_y,
    output wire              walk_burst_valid,
    input  wire              walk_burst_ready,
    output wire [ADDR_W-1:0] walk_burst_addr,
    output wire [       8:0] walk_burst_beats,
    output wire              walk_burst_last,
    // npu_read_mux
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
    output wire [   8*N-1:0] r_data,
    output wire [       1:0] r_resp,
    output wire              r_last,
    output wire [       3:0] m_axi_arid,
    output wire [ADDR_W-1:0] m_axi_araddr,
    output wire [       7:0] m_axi_arlen,
    output wire [       2:0] m_axi_arsize,
    output wire [       1:0] m_axi_arburst,
    output wire              m_axi_arvalid,
    input  wire              m_axi_arready,
    input  wire [       3:0] m_axi_rid,
    input  wire [   8*N-1:0] m_axi_rdata,
    input  wire [       1:0] m_axi_rresp,
    input  wire              m_axi_rlast,
    input  wire              m_axi_rvalid,
    output wire              m_axi_rready
);

  npu_fifo #(
      .W(16),
      .LOG_D(LOG_D)
  ) u_fifo (
      .clk(clk),
      .rst_n(rst_n),
      .in_valid(fifo_in_valid),
      .in_ready(fifo_in_ready),
      .in_data(fifo_in_data),
      .out_valid(fifo_out_valid),
      .out_ready(fifo_out_ready),
      .out_data(fifo_out_data),
      .level(fifo_level)
  );

  npu_tokens u_tokens (
      .clk(clk),
      .rst_n(rst_n),
      .in_valid(tokens_in_valid),
      .in_ready(tokens_in_ready),
      .out_valid(tokens_out_valid),
      .out_ready(tokens_out_ready)
  );

  npu_burst_walk #(
      .N(N),
      .ADDR_W(ADDR_W),
      .MAX_BURST(MAX_BURST)
  ) u_walk (
      .clk(clk),
      .rst_n(rst_n),
      .cmd_valid(walk_cmd_valid),
      .cmd_ready(walk_cmd_ready),
      .cmd_addr(walk_cmd_address),
      .cmd_stride_y(walk_cmd_stride_y),
      .cmd_stride_x(walk_cmd_stride_x),
      .cmd_run(walk_cmd_run),
      .cmd_count_x(walk_cmd_count_x),
      .cmd_count_y(walk_cmd_count_y),
      .burst_valid(walk_burst_valid),
      .burst_ready(walk_burst_ready),
      .burst_addr(walk_burst_addr),
      .burst_beats(walk_burst_beats),
      .burst_last(walk_burst_last)
  );

  npu_read_mux #(
      .N(N),
      .ADDR_W(ADDR_W),
      .ID_W(4)
  ) u_mux (
      .clk(clk),
      .rst_n(rst_n),
      .s0_ar_valid(s0_ar_valid),
      .s0_ar_ready(s0_ar_ready),
      .s0_ar_addr(s0_ar_addr),
      .s0_ar_len(s0_ar_len),
      .s0_r_valid(s0_r_valid),
      .s0_r_ready(s0_r_ready),
      .s1_ar_valid(s1_ar_valid),
      .s1_ar_ready(s1_ar_ready),
      .s1_ar_addr(s1_ar_addr),
      .s1_ar_len(s1_ar_len),
      .s1_r_valid(s1_r_valid),
      .s1_r_ready(s1_r_ready),
      .r_data(r_data),
      .r_resp(r_resp),
      .r_last(r_last),
      .m_axi_arid(m_axi_arid),
      .m_axi_araddr(m_axi_araddr),
      .m_axi_arlen(m_axi_arlen),
      .m_axi_arsize(m_axi_arsize),
      .m_axi_arburst(m_axi_arburst),
      .m_axi_arvalid(m_axi_arvalid),
      .m_axi_arready(m_axi_arready),
      .m_axi_rid(m_axi_rid),
      .m_axi_rdata(m_axi_rdata),
      .m_axi_rresp(m_axi_rresp),
      .m_axi_rlast(m_axi_rlast),
      .m_axi_rvalid(m_axi_rvalid),
      .m_axi_rready(m_axi_rready)
  );

endmodule

`default_nettype wire
