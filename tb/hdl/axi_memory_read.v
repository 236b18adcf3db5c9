// axi_memory_read.v : the read side of axi_memory, all but the data
//
// Addresses wait in a queue until their burst is due; its beats are answered one after the other. The word of a
// beat comes out of axi_memory_store in the same cycle as the rest of the beat out of here.
`default_nettype none

module axi_memory_read #(
    parameter integer DATA_W = 128,
    parameter integer ADDR_W = 32,
    parameter integer ID_W = 4,
    parameter integer LOG_OUTSTANDING = 4
) (
    input  wire              clk,
    input  wire              rst_n,
    input  wire              awake,
    input  wire [      31:0] cycle,
    input  wire              stall_ar,
    input  wire              stall_r,
    // Of the burst whose address is taken in this cycle: cycles until it is due, its response.
    output wire              ar_take,
    input  wire [      31:0] take_wait,
    input  wire [       1:0] take_resp,
    input  wire [       8:0] err_beat,       // the one beat that fails; ALL_BEATS: every one
    output wire              mem_en,
    output wire [ADDR_W-1:0] mem_word,
    input  wire              s_axi_arvalid,
    output wire              s_axi_arready,
    input  wire [  ID_W-1:0] s_axi_arid,
    input  wire [ADDR_W-1:0] s_axi_araddr,
    input  wire [       7:0] s_axi_arlen,
    output reg               s_axi_rvalid,
    input  wire              s_axi_rready,
    output reg  [  ID_W-1:0] s_axi_rid,
    output reg  [       1:0] s_axi_rresp,
    output reg               s_axi_rlast,
    // Of the burst whose beat is on the bus, for its record.
    output reg  [ADDR_W-1:0] r_addr,
    output reg  [       7:0] r_len,
    output reg  [      31:0] r_start,
    output reg  [       1:0] r_worst
);

  localparam integer LOG_BYTES = $clog2(DATA_W / 8);
  localparam integer DEPTH = 1 << LOG_OUTSTANDING;
  localparam [LOG_OUTSTANDING:0] FULL = {1'b1, {LOG_OUTSTANDING{1'b0}}};
  localparam [8:0] ALL_BEATS = 9'h1FF;
  localparam [1:0] OKAY = 2'd0;

  reg [ID_W-1:0] ar_id[0:DEPTH-1];
  reg [ADDR_W-1:0] ar_addr[0:DEPTH-1];
  reg [7:0] ar_len[0:DEPTH-1];
  reg [1:0] ar_resp[0:DEPTH-1];
  reg [31:0] ar_start[0:DEPTH-1];
  reg [31:0] ar_due[0:DEPTH-1];
  reg [LOG_OUTSTANDING-1:0] ar_put;
  reg [LOG_OUTSTANDING-1:0] ar_get;
  reg [LOG_OUTSTANDING:0] ar_held;
  reg [7:0] r_beat;

  wire r_move = !s_axi_rvalid || s_axi_rready;
  wire r_next = r_move && ar_held != 0 && ar_due[ar_get] <= cycle && !stall_r;
  wire [1:0] r_resp = err_beat == ALL_BEATS || err_beat == {1'b0, r_beat} ? ar_resp[ar_get] : OKAY;
  wire r_ends = r_next && r_beat == ar_len[ar_get];

  assign ar_take = s_axi_arvalid && s_axi_arready;
  assign s_axi_arready = ar_held != FULL && !stall_ar;
  assign mem_en = rst_n && awake && r_next;
  assign mem_word = (ar_addr[ar_get] >> LOG_BYTES) + {{(ADDR_W - 8) {1'b0}}, r_beat};

  always @(posedge clk) begin
    if (!rst_n || !awake) begin
      ar_put <= 0;
      ar_get <= 0;
      ar_held <= 0;
      r_beat <= 0;
      s_axi_rvalid <= 1'b0;
    end else begin
      if (ar_take) begin
        ar_id[ar_put] <= s_axi_arid;
        ar_addr[ar_put] <= s_axi_araddr;
        ar_len[ar_put] <= s_axi_arlen;
        ar_resp[ar_put] <= take_resp;
        ar_start[ar_put] <= cycle;
        ar_due[ar_put] <= cycle + take_wait;
        ar_put <= ar_put + 1;
      end
      ar_held <= ar_held + {{LOG_OUTSTANDING{1'b0}}, ar_take} - {{LOG_OUTSTANDING{1'b0}}, r_ends};
      if (r_next) begin
        s_axi_rid <= ar_id[ar_get];
        s_axi_rresp <= r_resp;
        r_worst <= r_resp | (r_beat == 8'd0 ? OKAY : r_worst);
        s_axi_rlast <= r_ends;
        r_addr <= ar_addr[ar_get];
        r_len <= ar_len[ar_get];
        r_start <= ar_start[ar_get];
        r_beat <= r_ends ? 8'd0 : r_beat + 8'd1;
        if (r_ends) ar_get <= ar_get + 1;
      end
      if (r_move) s_axi_rvalid <= r_next;
    end
  end

endmodule

`resetall
