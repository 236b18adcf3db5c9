// axi_traffic.v : a master with a fixed program of bursts, to compare memories
//
// Writes the upper half of SPAN while it reads the lower half with two IDs, then reads the upper half. Which
// bursts it sends depends on `program_seed` alone, not on how the memory answers; its own pauses and its
// backpressure come from a second generator.
//
// bug, to show that checkers notice: 0 none, 1 lets a read address fall before ready, 2 changes a write address
// while it waits, 3 changes write data while they wait, 4 marks the first beat of a burst as its last, 5 crosses
// 4 KiB, 6 sends a narrow burst, 7 keeps valid up in reset.
`default_nettype none

module axi_traffic #(
    parameter integer       DATA_W    = 128,
    parameter integer       ADDR_W    = 32,
    parameter integer       ID_W      = 4,
    parameter integer       LOG_SPAN  = 16,   // bytes
    parameter         [7:0] MAX_BEATS = 16    // a power of two
) (
    input  wire                clk,
    input  wire                rst_n,
    input  wire                go,
    input  wire [        15:0] count,          // bursts of each kind; stable while go
    input  wire [        31:0] program_seed,
    input  wire                eager,          // never pause
    input  wire                deaf,           // take no answer
    input  wire [         2:0] bug,
    output wire                done,
    output wire                m_axi_arvalid,
    input  wire                m_axi_arready,
    output reg  [    ID_W-1:0] m_axi_arid,
    output reg  [  ADDR_W-1:0] m_axi_araddr,
    output wire [         7:0] m_axi_arlen,
    output wire [         2:0] m_axi_arsize,
    output wire [         1:0] m_axi_arburst,
    input  wire                m_axi_rvalid,
    output wire                m_axi_rready,
    input  wire [    ID_W-1:0] m_axi_rid,
    input  wire [  DATA_W-1:0] m_axi_rdata,
    input  wire [         1:0] m_axi_rresp,
    input  wire                m_axi_rlast,
    output reg                 m_axi_awvalid,
    input  wire                m_axi_awready,
    output wire [    ID_W-1:0] m_axi_awid,
    output wire [  ADDR_W-1:0] m_axi_awaddr,
    output reg  [         7:0] m_axi_awlen,
    output wire [         2:0] m_axi_awsize,
    output wire [         1:0] m_axi_awburst,
    output reg                 m_axi_wvalid,
    input  wire                m_axi_wready,
    output wire [  DATA_W-1:0] m_axi_wdata,
    output reg  [DATA_W/8-1:0] m_axi_wstrb,
    output wire                m_axi_wlast,
    input  wire                m_axi_bvalid,
    output wire                m_axi_bready,
    input  wire [    ID_W-1:0] m_axi_bid,
    input  wire [         1:0] m_axi_bresp
);

  localparam integer LOG_BYTES = $clog2(DATA_W / 8);
  localparam [2:0] SIZE = LOG_BYTES[2:0];
  wire [15:0] all_reads = count << 1;

  // A hash, so that burst k has the same address, length and data whenever it is sent.
  function [31:0] mix;
    input [31:0] value;
    reg [31:0] x;
    begin
      x   = (value ^ (value >> 16)) * 32'h7feb_352d;
      x   = (x ^ (x >> 15)) * 32'h846c_a68b;
      mix = x ^ (x >> 16);
    end
  endfunction

  // Aligned to its own longest length: it never crosses 4 KiB.
  function [ADDR_W-1:0] address;
    input [31:0] random;
    input upper;
    begin
      address = {random[ADDR_W-1:8], random[7:0] & ~(MAX_BEATS - 8'd1)} << LOG_BYTES;
      address[ADDR_W-1:LOG_SPAN-1] = {{(ADDR_W - LOG_SPAN) {1'b0}}, upper};
    end
  endfunction

  reg [31:0] noise;
  reg ar_valid;
  reg [7:0] ar_len;
  reg [ADDR_W-1:0] aw_addr;
  reg [DATA_W-1:0] w_data;
  reg ar_waited;
  reg aw_waited;
  reg w_waited;
  reg [15:0] reads_sent;
  reg [15:0] reads_done;
  reg [15:0] writes_sent;
  reg [15:0] writes_filled;
  reg [15:0] writes_done;
  reg [7:0] beat;
  reg [7:0] w_len;
  wire pause_ar = !go || (!eager && noise[0]);
  wire pause_aw = !go || (!eager && noise[5]);
  wire pause_w = !go || (!eager && noise[9]);
  wire [31:0] read_random = mix(program_seed ^ {16'd1, reads_sent});
  wire [31:0] write_random = mix(program_seed ^ {16'd2, writes_sent});
  wire [31:0] fill_random = mix(program_seed ^ {16'd2, writes_filled});
  // The second pass reads what the writes left.
  wire second = reads_sent >= count;
  wire may_read = reads_sent < all_reads && (!second || writes_done == count);
  wire [31:0] lanes = {fill_random[27:0], fill_random[31:28]} ^ {32{w_idle}};
  wire w_done = m_axi_wvalid && m_axi_wready;
  wire w_idle = !m_axi_wvalid || (w_done && m_axi_wlast);
  integer lane;

  wire unused = &{1'b0, m_axi_rid, m_axi_rdata, m_axi_rresp, m_axi_bid, m_axi_bresp, lanes};

  assign m_axi_arvalid = (ar_valid && !(bug == 3'd1 && ar_waited)) || (bug == 3'd7 && !rst_n);
  assign m_axi_arlen = bug == 3'd5 ? 8'd255 : ar_len;
  assign m_axi_arsize = bug == 3'd6 ? SIZE - 3'd1 : SIZE;
  assign m_axi_awsize = SIZE;
  assign m_axi_awaddr = bug == 3'd2 && aw_waited ? aw_addr ^ (1 << LOG_BYTES) : aw_addr;
  assign m_axi_wdata = bug == 3'd3 && w_waited ? ~w_data : w_data;
  assign m_axi_arburst = 2'd1;
  assign m_axi_awburst = 2'd1;
  assign m_axi_awid = 2;
  assign m_axi_rready = !deaf && (eager || noise[13]);
  assign m_axi_bready = !deaf && (eager || noise[17]);
  assign m_axi_wlast = beat == w_len || (bug == 3'd4 && beat == 8'd0);
  assign done = reads_done == all_reads;

  always @(posedge clk) begin
    if (!rst_n) begin
      noise <= 32'h1234_5678;
      reads_sent <= 0;
      reads_done <= 0;
      writes_sent <= 0;
      writes_filled <= 0;
      writes_done <= 0;
      beat <= 0;
      w_len <= 0;
      ar_waited <= 1'b0;
      aw_waited <= 1'b0;
      w_waited <= 1'b0;
      ar_valid <= 1'b0;
      m_axi_awvalid <= 1'b0;
      m_axi_wvalid <= 1'b0;
    end else begin
      noise <= {noise[30:0], noise[31] ^ noise[21] ^ noise[1] ^ noise[0]};
      if (!ar_valid || (m_axi_arvalid && m_axi_arready)) begin
        ar_valid <= may_read && !pause_ar;
        if (may_read && !pause_ar) begin
          m_axi_arid <= {{(ID_W - 1) {1'b0}}, read_random[31]};
          m_axi_araddr <= address(read_random, second);
          ar_len <= read_random[30:23] & (MAX_BEATS - 8'd1);
          reads_sent <= reads_sent + 1;
        end
      end
      if (m_axi_rvalid && m_axi_rready && m_axi_rlast) reads_done <= reads_done + 1;
      if (!m_axi_awvalid || m_axi_awready) begin
        m_axi_awvalid <= writes_sent < count && !pause_aw;
        if (writes_sent < count && !pause_aw) begin
          aw_addr <= address(write_random, 1'b1);
          m_axi_awlen <= write_random[30:23] & (MAX_BEATS - 8'd1);
          writes_sent <= writes_sent + 1;
        end
      end
      // Data may run ahead of the addresses.
      if (w_done && !m_axi_wlast) beat <= beat + 8'd1;
      if (w_idle) begin
        beat <= 0;
        w_len <= fill_random[30:23] & (MAX_BEATS - 8'd1);
        m_axi_wvalid <= writes_filled < count && !pause_w;
        if (writes_filled < count && !pause_w) writes_filled <= writes_filled + 1;
      end
      if (w_idle || w_done) begin
        for (lane = 0; lane < DATA_W / 8; lane = lane + 1) begin
          w_data[8*lane+:8] <= fill_random[7:0] + {lane[5:0], 2'd1} + (w_idle ? 8'd0 : {beat[4:0], 3'd5});
        end
        // One burst in four leaves bytes out.
        m_axi_wstrb <= fill_random[31:30] == 0 ? lanes[DATA_W/8-1:0] : {(DATA_W / 8) {1'b1}};
      end
      ar_waited <= m_axi_arvalid && !m_axi_arready;
      aw_waited <= m_axi_awvalid && !m_axi_awready;
      w_waited  <= m_axi_wvalid && !m_axi_wready;
      if (m_axi_bvalid && m_axi_bready) writes_done <= writes_done + 1;
    end
  end

endmodule

`resetall
