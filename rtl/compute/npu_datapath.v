// npu_datapath.v : what turns activations into activations, with the buffers it works on
//
// CONV and POOL commands in; conv and pool read the buffers that load fills, post writes the one that store
// empties. Wires and memories only: each unit is in its own folder.
`default_nettype none

module npu_datapath #(
    parameter integer N = 16,
    parameter integer LOG_ACT = 13,  // log2 of each buffer's words
    parameter integer LOG_WGT = 13,
    parameter integer LOG_OUT = 12,
    parameter integer LOG_PAR = 10,
    parameter integer LOG_RES = 12,
    parameter integer LOG_DEPTH = 8  // log2 of the pixels in an accumulator bank
) (
    input  wire           clk,
    input  wire           rst_n,
    input  wire           cmd_valid,
    output wire           cmd_ready,
    input  wire [  527:0] cmd_data,          // {number, command}
    // Words from load, and to which buffer.
    input  wire           wr_en,
    input  wire [    2:0] wr_dest,
    input  wire [   15:0] wr_addr,
    input  wire [8*N-1:0] wr_data,
    // Tokens from and to load, from and to store.
    input  wire           wait_load_valid,
    output wire           wait_load_ready,
    output wire           sig_load_valid,
    input  wire           sig_load_ready,
    input  wire           wait_store_valid,
    output wire           wait_store_ready,
    output wire           sig_store_valid,
    input  wire           sig_store_ready,
    // The output buffer; data one cycle after out_rd_en.
    input  wire           out_rd_en,
    input  wire [   15:0] out_rd_addr,
    output wire [8*N-1:0] out_rd_data,
    output wire           stamp_valid,
    input  wire           stamp_ready,
    output wire [    7:0] stamp_layer,
    output wire           idle,
    output wire           moves,             // a word is read or written in this cycle
    // For the account (npu_account.v).
    output wire           conv_reads,
    output wire           pool_reads,
    output wire           load_missing,
    output wire           units_idle,
    output wire           weights_missing,
    output wire           room_missing,
    output wire           token_full,
    output wire           drains
);

  localparam [2:0] DEST_ACT = 3'd0;
  localparam [2:0] DEST_WGT = 3'd1;
  localparam [2:0] DEST_PAR = 3'd2;
  localparam [2:0] DEST_TAB = 3'd3;
  localparam [2:0] DEST_RES = 3'd4;

  wire conv_valid;
  wire conv_ready;
  wire conv_idle;
  wire pool_valid;
  wire pool_ready;
  wire pool_idle;
  wire [511:0] unit_cmd;

  npu_compute u_compute (
      .cmd_valid(cmd_valid),
      .cmd_ready(cmd_ready),
      .cmd_data(cmd_data),
      .wait_load_valid(wait_load_valid),
      .wait_load_ready(wait_load_ready),
      .conv_valid(conv_valid),
      .conv_ready(conv_ready),
      .conv_idle(conv_idle),
      .pool_valid(pool_valid),
      .pool_ready(pool_ready),
      .pool_idle(pool_idle),
      .unit_cmd(unit_cmd),
      .stat_wait(load_missing)
  );

  // The two units never read in the same cycle: npu_compute gives them turns.
  wire conv_act_en;
  wire [15:0] conv_act_addr;
  wire pool_act_en;
  wire [15:0] pool_act_addr;
  wire [15:0] act_addr = pool_act_en ? pool_act_addr : conv_act_addr;
  wire [8*N-1:0] act_data;
  wire wgt_en;
  wire [15:0] wgt_addr;
  wire [8*N-1:0] wgt_data;
  wire par_en;
  wire [15:0] par_addr;
  wire [8*N-1:0] par_data;
  wire out_wr_en;
  wire [15:0] out_wr_addr;
  wire [8*N-1:0] out_wr_data;

  npu_buffer #(
      .W(8 * N),
      .LOG_D(LOG_ACT)
  ) u_act_buffer (
      .clk(clk),
      .wr_en(wr_en && wr_dest == DEST_ACT),
      .wr_addr(wr_addr[LOG_ACT-1:0]),
      .wr_data(wr_data),
      .rd_en(conv_act_en || pool_act_en),
      .rd_addr(act_addr[LOG_ACT-1:0]),
      .rd_data(act_data)
  );

  npu_buffer #(
      .W(8 * N),
      .LOG_D(LOG_WGT)
  ) u_wgt_buffer (
      .clk(clk),
      .wr_en(wr_en && wr_dest == DEST_WGT),
      .wr_addr(wr_addr[LOG_WGT-1:0]),
      .wr_data(wr_data),
      .rd_en(wgt_en),
      .rd_addr(wgt_addr[LOG_WGT-1:0]),
      .rd_data(wgt_data)
  );

  npu_buffer #(
      .W(8 * N),
      .LOG_D(LOG_PAR)
  ) u_par_buffer (
      .clk(clk),
      .wr_en(wr_en && wr_dest == DEST_PAR),
      .wr_addr(wr_addr[LOG_PAR-1:0]),
      .wr_data(wr_data),
      .rd_en(par_en),
      .rd_addr(par_addr[LOG_PAR-1:0]),
      .rd_data(par_data)
  );

  wire res_en;
  wire [15:0] res_addr;
  wire [8*N-1:0] res_data;

  npu_buffer #(
      .W(8 * N),
      .LOG_D(LOG_RES)
  ) u_res_buffer (
      .clk(clk),
      .wr_en(wr_en && wr_dest == DEST_RES),
      .wr_addr(wr_addr[LOG_RES-1:0]),
      .wr_data(wr_data),
      .rd_en(res_en),
      .rd_addr(res_addr[LOG_RES-1:0]),
      .rd_data(res_data)
  );

  wire conv_desc_valid;
  wire [172:0] conv_desc_data;
  wire pool_desc_valid;
  wire [172:0] pool_desc_data;
  wire desc_ready;
  wire conv_sig_load;
  wire pool_sig_load;
  wire [1:0] bank_full;
  wire drain_en;
  wire drain_bank;
  wire [LOG_DEPTH-1:0] drain_pixel;
  wire [32*N-1:0] drain_data;
  wire drain_release;

  assign sig_load_valid = conv_sig_load || pool_sig_load;

  npu_conv #(
      .N(N),
      .LOG_DEPTH(LOG_DEPTH)
  ) u_conv (
      .clk(clk),
      .rst_n(rst_n),
      .cmd_valid(conv_valid),
      .cmd_ready(conv_ready),
      .cmd_data(unit_cmd),
      .act_en(conv_act_en),
      .act_addr(conv_act_addr),
      .act_data(act_data),
      .wgt_en(wgt_en),
      .wgt_addr(wgt_addr),
      .wgt_data(wgt_data),
      .desc_valid(conv_desc_valid),
      .desc_ready(desc_ready),
      .desc_data(conv_desc_data),
      .bank_full(bank_full),
      .drain_en(drain_en),
      .drain_bank(drain_bank),
      .drain_pixel(drain_pixel),
      .drain_data(drain_data),
      .drain_release(drain_release),
      .sig_load_valid(conv_sig_load),
      .sig_load_ready(sig_load_ready),
      .idle(conv_idle),
      .stat_weights(weights_missing)
  );

  wire pool_out_valid;
  wire pool_out_ready;
  wire [32*N-1:0] pool_out_data;

  npu_pool #(
      .N(N)
  ) u_pool (
      .clk(clk),
      .rst_n(rst_n),
      .cmd_valid(pool_valid),
      .cmd_ready(pool_ready),
      .cmd_data(unit_cmd),
      .act_en(pool_act_en),
      .act_addr(pool_act_addr),
      .act_data(act_data),
      .desc_valid(pool_desc_valid),
      .desc_ready(desc_ready),
      .desc_data(pool_desc_data),
      .out_valid(pool_out_valid),
      .out_ready(pool_out_ready),
      .out_data(pool_out_data),
      .sig_load_valid(pool_sig_load),
      .sig_load_ready(sig_load_ready),
      .idle(pool_idle)
  );

  wire p_idle;

  npu_post #(
      .N(N),
      .LOG_DEPTH(LOG_DEPTH)
  ) u_post (
      .clk(clk),
      .rst_n(rst_n),
      .desc_valid(conv_desc_valid || pool_desc_valid),
      .desc_ready(desc_ready),
      .desc_data(pool_desc_valid ? pool_desc_data : conv_desc_data),
      .bank_full(bank_full),
      .drain_en(drain_en),
      .drain_bank(drain_bank),
      .drain_pixel(drain_pixel),
      .drain_data(drain_data),
      .drain_release(drain_release),
      .pool_valid(pool_out_valid),
      .pool_ready(pool_out_ready),
      .pool_data(pool_out_data),
      .par_en(par_en),
      .par_addr(par_addr),
      .par_data(par_data),
      .res_en(res_en),
      .res_addr(res_addr),
      .res_data(res_data),
      .tab_wr_en(wr_en && wr_dest == DEST_TAB),
      .tab_wr_addr(wr_addr),
      .tab_wr_data(wr_data),
      .wait_store_valid(wait_store_valid),
      .wait_store_ready(wait_store_ready),
      .sig_store_valid(sig_store_valid),
      .sig_store_ready(sig_store_ready),
      .stamp_valid(stamp_valid),
      .stamp_ready(stamp_ready),
      .stamp_layer(stamp_layer),
      .out_en(out_wr_en),
      .out_addr(out_wr_addr),
      .out_data(out_wr_data),
      .idle(p_idle),
      .stat_wait(room_missing)
  );

  npu_buffer #(
      .W(8 * N),
      .LOG_D(LOG_OUT)
  ) u_out_buffer (
      .clk(clk),
      .wr_en(out_wr_en),
      .wr_addr(out_wr_addr[LOG_OUT-1:0]),
      .wr_data(out_wr_data),
      .rd_en(out_rd_en),
      .rd_addr(out_rd_addr[LOG_OUT-1:0]),
      .rd_data(out_rd_data)
  );

  assign idle = units_idle && p_idle;
  assign moves = wr_en || conv_act_en || pool_act_en || out_wr_en;
  assign conv_reads = conv_act_en;
  assign pool_reads = pool_act_en;
  assign units_idle = conv_idle && pool_idle;
  assign token_full = (sig_load_valid && !sig_load_ready) || (sig_store_valid && !sig_store_ready);
  assign drains = !p_idle;

  // Buffer addresses wrap at the buffer's size.
  wire unused = &{1'b0, act_addr, wgt_addr, par_addr, res_addr, out_wr_addr, out_rd_addr};

endmodule

`default_nettype wire
