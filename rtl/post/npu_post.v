// npu_post.v : int32 sums in, int8 words into the output buffer
//
// A descriptor says where a tile's sums come from (an accumulator bank or pool), how many, and where they
// go. Per tile: fetch the parameter record while the sums are still being made, drain one pixel of N
// channels a cycle, let the pipeline run empty, then give the tokens. Nothing downstream can stall.
`default_nettype none

module npu_post #(
    parameter integer N = 16,
    parameter integer LOG_DEPTH = 8  // log2 of the pixels in an accumulator bank
) (
    input  wire                 clk,
    input  wire                 rst_n,
    input  wire                 desc_valid,
    output wire                 desc_ready,
    input  wire [        172:0] desc_data,
    // Accumulators; data one cycle after drain_en.
    input  wire [          1:0] bank_full,
    output wire                 drain_en,
    output wire                 drain_bank,
    output wire [LOG_DEPTH-1:0] drain_pixel,
    input  wire [     32*N-1:0] drain_data,
    output wire                 drain_release,
    input  wire                 pool_valid,
    output wire                 pool_ready,
    input  wire [     32*N-1:0] pool_data,
    // Parameter buffer; data one cycle after par_en.
    output wire                 par_en,
    output wire [         15:0] par_addr,
    input  wire [      8*N-1:0] par_data,
    // Residual buffer; data one cycle after res_en.
    output wire                 res_en,
    output wire [         15:0] res_addr,
    input  wire [      8*N-1:0] res_data,
    // Table writes, from load.
    input  wire                 tab_wr_en,
    input  wire [         15:0] tab_wr_addr,
    input  wire [      8*N-1:0] tab_wr_data,
    // Tokens.
    input  wire                 wait_store_valid,
    output wire                 wait_store_ready,
    output wire                 sig_store_valid,
    input  wire                 sig_store_ready,
    output wire                 stamp_valid,
    input  wire                 stamp_ready,
    output wire [          7:0] stamp_layer,
    output wire                 out_en,
    output wire [         15:0] out_addr,
    output wire [      8*N-1:0] out_data,
    output wire                 idle,
    output wire                 stat_wait
);

  // ---------------------------------------------------------------- descriptor

  wire d_valid;
  wire d_ready;
  wire [7:0] d_layer;
  wire d_stamp;
  wire d_signal;
  wire d_wait;
  wire d_from_pool;
  wire d_bank;
  wire d_restart;
  wire [31:0] d_pixels;
  wire [15:0] d_out_addr;
  wire [15:0] d_out_pitch;
  wire [15:0] d_par_addr;
  wire [7:0] d_zero_point;
  wire [7:0] d_act_min;
  wire [7:0] d_act_max;
  wire [1:0] d_mode;
  wire d_table_en;
  wire d_table_sel;
  wire d_bypass;
  wire [15:0] d_res_addr;
  wire [15:0] d_res_pitch;
  wire [15:0] d_elem_addr;
  wire [1:0] d_elem;
  wire [1:0] unused_level;

  npu_fifo #(
      .W(173),
      .LOG_D(1)
  ) u_desc (
      .clk(clk),
      .rst_n(rst_n),
      .in_valid(desc_valid),
      .in_ready(desc_ready),
      .in_data(desc_data),
      .out_valid(d_valid),
      .out_ready(d_ready),
      .out_data({
        d_layer,
        d_stamp,
        d_signal,
        d_wait,
        d_from_pool,
        d_bank,
        d_restart,
        d_pixels,
        d_out_addr,
        d_out_pitch,
        d_par_addr,
        d_res_addr,
        d_res_pitch,
        d_elem_addr,
        d_elem,
        d_bypass,
        d_table_sel,
        d_table_en,
        d_mode,
        d_act_max,
        d_act_min,
        d_zero_point
      }),
      .level(unused_level)
  );

  // ---------------------------------------------------------------- sequence

  localparam [2:0] S_PARAM = 3'd0;  // wait for a descriptor, fetch its record
  localparam [2:0] S_WAIT = 3'd1;  // room in the output buffer
  localparam [2:0] S_DRAIN = 3'd2;  // a pixel a cycle
  localparam [2:0] S_FLUSH = 3'd3;  // the pipeline runs empty
  localparam [2:0] S_DONE = 3'd4;  // token
  localparam [2:0] S_STAMP = 3'd5;
  localparam [3:0] RECORD = 4'd9;  // words
  localparam integer ELEM_WORDS = (19 + N) / N;  // of 20 bytes
  localparam integer ELEM_W = ELEM_WORDS * 8 * N;
  localparam [3:0] ELEMENT = ELEM_WORDS[3:0];

  reg [2:0] state;
  reg [3:0] par_count;
  reg [31:0] left;
  reg [LOG_DEPTH-1:0] pixel;
  reg [15:0] next_out;
  reg [15:0] next_res;
  wire lanes_busy;

  // The records are read one behind the other: word `par_index` of the two together.
  wire has_elem = d_elem != 2'd0;
  wire [3:0] par_index = par_count + (d_bypass ? RECORD : 4'd0);
  wire par_done = par_index == (has_elem ? RECORD + ELEMENT : RECORD);
  wire in_elem = par_index >= RECORD;
  wire source_ok = d_from_pool ? pool_valid : bank_full[d_bank];
  wire take = state == S_DRAIN && source_ok;
  wire last = left == 32'd1;
  wire given = state == S_DONE && (!d_signal || sig_store_ready);
  reg par_pending;
  reg par_elem;

  assign par_en = state == S_PARAM && d_valid && !par_done;
  assign par_addr = in_elem ? d_elem_addr + {12'd0, par_index - RECORD} : d_par_addr + {12'd0, par_index};
  assign wait_store_ready = state == S_WAIT && d_wait;
  assign stat_wait = state == S_WAIT && d_wait && !wait_store_valid;
  assign drain_en = take && !d_from_pool;
  assign drain_bank = d_bank;
  assign drain_pixel = pixel;
  assign drain_release = drain_en && last;
  assign pool_ready = state == S_DRAIN && d_from_pool;
  assign sig_store_valid = state == S_DONE && d_signal;
  assign stamp_valid = state == S_STAMP;
  assign d_ready = (given && !d_stamp) || (stamp_valid && stamp_ready);
  assign stamp_layer = d_layer;
  assign idle = !d_valid;

  always @(posedge clk) begin
    if (!rst_n) state <= S_PARAM;
    else begin
      case (state)
        S_PARAM: if (d_valid && par_done) state <= S_WAIT;
        S_WAIT:  if (!d_wait || wait_store_valid) state <= S_DRAIN;
        S_DRAIN: if (take && last) state <= S_FLUSH;
        S_FLUSH: if (!lanes_busy) state <= S_DONE;
        S_DONE:  if (given) state <= d_stamp ? S_STAMP : S_PARAM;
        S_STAMP: if (stamp_ready) state <= S_PARAM;
        default: state <= S_PARAM;
      endcase
    end
  end

  always @(posedge clk) begin
    if (!rst_n || state == S_DONE) par_count <= 4'd0;
    else if (par_en) par_count <= par_count + 4'd1;
  end

  always @(posedge clk) begin
    if (!rst_n) par_pending <= 1'b0;
    else par_pending <= par_en;
  end

  always @(posedge clk) begin
    if (state == S_WAIT) begin
      left  <= d_pixels;
      pixel <= 0;
    end else if (take) begin
      left  <= left - 32'd1;
      pixel <= pixel + 1'b1;
    end
  end

  // Words keep their order on the way, so addresses are counted where they are needed.
  always @(posedge clk) begin
    if (state == S_WAIT && d_restart) begin
      next_out <= d_out_addr;
      next_res <= d_res_addr;
    end else begin
      if (out_en) next_out <= next_out + d_out_pitch;
      if (res_en) next_res <= next_res + d_res_pitch;
    end
  end

  assign out_addr = next_out;
  assign res_addr = next_res;

  // ---------------------------------------------------------------- parameter record

  // Records come in as shift registers, oldest word lowest: bias, multiplier, shift.
  reg [ 9*8*N-1:0] record;
  reg [ELEM_W-1:0] elem_record;

  always @(posedge clk) begin
    par_elem <= in_elem;
    if (par_pending && !par_elem) record <= {par_data, record[9*8*N-1:8*N]};
  end

  generate
    if (ELEM_WORDS == 1) begin : g_one_word
      always @(posedge clk) if (par_pending && par_elem) elem_record <= par_data;
    end else begin : g_words
      always @(posedge clk) begin
        if (par_pending && par_elem) elem_record <= {par_data, elem_record[ELEM_W-1:8*N]};
      end
    end
  endgenerate

  wire unused = &{1'b0, elem_record};  // the last word may hold more than the record

  // ---------------------------------------------------------------- lanes

  reg from_pool;
  reg [32*N-1:0] pool_word;
  reg acc_valid;

  always @(posedge clk) begin
    if (!rst_n) acc_valid <= 1'b0;
    else acc_valid <= take;
  end

  always @(posedge clk) begin
    if (take) from_pool <= d_from_pool;
    if (take && d_from_pool) pool_word <= pool_data;
  end

  wire [8*N-1:0] req_data;
  wire req_valid;
  wire req_busy;

  npu_requant #(
      .N(N)
  ) u_requant (
      .clk(clk),
      .rst_n(rst_n),
      .cfg_mode(d_mode),
      .cfg_bias(record[32*N-1:0]),
      .cfg_multiplier(record[64*N-1:32*N]),
      .cfg_shift(record[72*N-1:64*N]),
      .cfg_bypass(d_bypass),
      .cfg_zero_point(d_zero_point),
      .cfg_act_min(d_act_min),
      .cfg_act_max(d_act_max),
      .in_valid(acc_valid),
      .in_acc(from_pool ? pool_word : drain_data),
      .out_valid(req_valid),
      .out_data(req_data),
      .busy(req_busy)
  );

  // The word waits a cycle for its partner from the residual buffer.
  reg x1_valid;
  reg [8*N-1:0] x1_data;
  wire elem_valid;
  wire [8*N-1:0] elem_data;
  wire elem_busy;

  assign res_en = req_valid && has_elem;

  always @(posedge clk) begin
    if (!rst_n) x1_valid <= 1'b0;
    else x1_valid <= res_en;
  end

  always @(posedge clk) begin
    if (res_en) x1_data <= req_data;
  end

  npu_element #(
      .N(N)
  ) u_element (
      .clk(clk),
      .rst_n(rst_n),
      .cfg_mode(d_mode),
      .cfg_op(d_elem),
      .cfg_record(elem_record[159:0]),
      .in_valid(x1_valid),
      .in_data(x1_data),
      .in_other(res_data),
      .out_valid(elem_valid),
      .out_data(elem_data),
      .busy(elem_busy)
  );

  npu_table #(
      .N(N)
  ) u_table (
      .clk(clk),
      .rst_n(rst_n),
      .wr_en(tab_wr_en),
      .wr_addr(tab_wr_addr),
      .wr_data(tab_wr_data),
      .cfg_enable(d_table_en),
      .cfg_select(d_table_sel),
      .in_valid(has_elem ? elem_valid : req_valid),
      .in_data(has_elem ? elem_data : req_data),
      .out_valid(out_en),
      .out_data(out_data)
  );

  assign lanes_busy = acc_valid || req_busy || x1_valid || elem_busy || out_en;

endmodule

`default_nettype wire
