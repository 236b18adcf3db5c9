// axi_memory_write.v : the write side of axi_memory
//
// Addresses wait in a queue for their data, then until their response is due. Data go to axi_memory_store beat by
// beat, but for those of a burst that gets an error.
`default_nettype none

module axi_memory_write #(
    parameter integer DATA_W = 128,
    parameter integer ADDR_W = 32,
    parameter integer ID_W = 4,
    parameter integer LOG_OUTSTANDING = 4
) (
    input  wire                clk,
    input  wire                rst_n,
    input  wire                awake,
    input  wire [        31:0] cycle,
    input  wire                stall_aw,
    input  wire                stall_w,
    input  wire                stall_b,
    // The response of the burst whose address is taken in this cycle; cycles from its last data to then.
    output wire                aw_take,
    input  wire [         1:0] take_resp,
    input  wire [        31:0] take_wait,
    output wire                mem_en,
    output wire [  ADDR_W-1:0] mem_word,
    input  wire                s_axi_awvalid,
    output wire                s_axi_awready,
    input  wire [    ID_W-1:0] s_axi_awid,
    input  wire [  ADDR_W-1:0] s_axi_awaddr,
    input  wire [         7:0] s_axi_awlen,
    input  wire                s_axi_wvalid,
    output wire                s_axi_wready,
    input  wire [DATA_W/8-1:0] s_axi_wstrb,
    output reg                 s_axi_bvalid,
    input  wire                s_axi_bready,
    output reg  [    ID_W-1:0] s_axi_bid,
    output reg  [         1:0] s_axi_bresp,
    // For the log: a beat, a burst whose response is taken.
    output wire                w_take,
    output wire                b_done,
    output wire [  ADDR_W-1:0] b_addr,
    output wire [         7:0] b_len,
    output wire                b_full,         // every strobe was set
    output wire [        31:0] b_start,
    output wire [        31:0] b_position      // of its first word in the stream of all written
);

  localparam integer LOG_BYTES = $clog2(DATA_W / 8);
  localparam integer DEPTH = 1 << LOG_OUTSTANDING;
  localparam [LOG_OUTSTANDING:0] FULL = {1'b1, {LOG_OUTSTANDING{1'b0}}};
  localparam [1:0] OKAY = 2'd0;

  reg [ID_W-1:0] aw_id[0:DEPTH-1];
  reg [ADDR_W-1:0] aw_addr[0:DEPTH-1];
  reg [7:0] aw_len[0:DEPTH-1];
  reg [1:0] aw_resp[0:DEPTH-1];
  reg [31:0] aw_start[0:DEPTH-1];
  // A burst keeps its place from address to response: put, data, get go round the same slots.
  reg aw_full[0:DEPTH-1];
  reg [31:0] aw_due[0:DEPTH-1];
  reg [31:0] aw_position[0:DEPTH-1];
  reg [LOG_OUTSTANDING-1:0] aw_put;
  reg [LOG_OUTSTANDING-1:0] aw_data;
  reg [LOG_OUTSTANDING-1:0] aw_get;
  reg [LOG_OUTSTANDING:0] aw_held;  // put to get
  reg [LOG_OUTSTANDING:0] w_held;  // put to data
  reg [LOG_OUTSTANDING:0] b_held;  // data to get
  reg [7:0] w_beat;
  reg w_full;
  reg [LOG_OUTSTANDING-1:0] b_slot;
  reg [31:0] written;  // words

  wire w_ends = w_take && w_beat == aw_len[aw_data];
  wire w_all = &s_axi_wstrb;
  wire b_move = !s_axi_bvalid || s_axi_bready;
  wire b_next = b_move && b_held != 0 && aw_due[aw_get] <= cycle && !stall_b;

  assign aw_take = s_axi_awvalid && s_axi_awready;
  assign w_take = s_axi_wvalid && s_axi_wready;
  assign mem_en = rst_n && awake && w_take && aw_resp[aw_data] == OKAY;
  assign mem_word = (aw_addr[aw_data] >> LOG_BYTES) + {{(ADDR_W - 8) {1'b0}}, w_beat};
  assign b_done = s_axi_bvalid && s_axi_bready;
  assign b_addr = aw_addr[b_slot];
  assign b_len = aw_len[b_slot];
  assign b_full = aw_full[b_slot];
  assign b_start = aw_start[b_slot];
  assign b_position = aw_position[b_slot];
  assign s_axi_awready = aw_held != FULL && !stall_aw;
  assign s_axi_wready = w_held != 0 && !stall_w;

  initial written = 0;

  always @(posedge clk) begin
    if (!rst_n || !awake) begin
      aw_put <= 0;
      aw_data <= 0;
      aw_get <= 0;
      aw_held <= 0;
      w_held <= 0;
      b_held <= 0;
      w_beat <= 0;
      w_full <= 1'b1;
      s_axi_bvalid <= 1'b0;
    end else begin
      if (aw_take) begin
        aw_id[aw_put] <= s_axi_awid;
        aw_addr[aw_put] <= s_axi_awaddr;
        aw_len[aw_put] <= s_axi_awlen;
        aw_resp[aw_put] <= take_resp;
        aw_start[aw_put] <= cycle;
        aw_put <= aw_put + 1;
      end
      // The slot is free again when the response has been taken: its record still needs it.
      aw_held <= aw_held + {{LOG_OUTSTANDING{1'b0}}, aw_take} - {{LOG_OUTSTANDING{1'b0}}, b_done};
      w_held  <= w_held + {{LOG_OUTSTANDING{1'b0}}, aw_take} - {{LOG_OUTSTANDING{1'b0}}, w_ends};
      b_held  <= b_held + {{LOG_OUTSTANDING{1'b0}}, w_ends} - {{LOG_OUTSTANDING{1'b0}}, b_next};
      if (w_take) begin
        written <= written + 1;
        if (w_beat == 0) aw_position[aw_data] <= written;
        w_full <= w_ends || (w_full && w_all);
        w_beat <= w_ends ? 8'd0 : w_beat + 8'd1;
        if (w_ends) begin
          aw_full[aw_data] <= w_full && w_all;
          aw_due[aw_data] <= cycle + take_wait;
          aw_data <= aw_data + 1;
        end
      end
      if (b_next) begin
        s_axi_bid <= aw_id[aw_get];
        s_axi_bresp <= aw_resp[aw_get];
        b_slot <= aw_get;
        aw_get <= aw_get + 1;
      end
      if (b_move) s_axi_bvalid <= b_next;
    end
  end

endmodule

`resetall
