// axi_lite_probe.v : four registers behind AXI4-Lite that break on request, to show that the agents notice
//
// Above them every access answers SLVERR. Bit 0 of the last register is the interrupt.
// bug: 0 none, 1 answers a write before its data, 2 changes read data while they wait, 3 sends read data that
// nobody asked for, 4 answers EXOKAY, 5 ignores strobes, 6 never answers a read, 7 the interrupt is X.
// pause: READY of AW, W and AR is low.
`default_nettype none

module axi_lite_probe (
    input  wire        clk,
    input  wire        rst_n,
    input  wire [ 2:0] bug,
    input  wire [ 2:0] pause,
    input  wire [11:0] s_axi_awaddr,
    input  wire        s_axi_awvalid,
    output wire        s_axi_awready,
    input  wire [31:0] s_axi_wdata,
    input  wire [ 3:0] s_axi_wstrb,
    input  wire        s_axi_wvalid,
    output wire        s_axi_wready,
    output reg  [ 1:0] s_axi_bresp,
    output reg         s_axi_bvalid,
    input  wire        s_axi_bready,
    input  wire [11:0] s_axi_araddr,
    input  wire        s_axi_arvalid,
    output wire        s_axi_arready,
    output wire [31:0] s_axi_rdata,
    output reg  [ 1:0] s_axi_rresp,
    output reg         s_axi_rvalid,
    input  wire        s_axi_rready,
    output wire        irq
);

  reg [31:0] regs[0:3];
  reg aw_held;
  reg [11:0] aw_addr;
  reg w_held;
  reg [31:0] w_data;
  reg [3:0] w_strb;
  reg [31:0] r_data;
  reg flip;
  reg [5:0] idle;
  integer lane;
  wire free = !s_axi_bvalid || s_axi_bready;
  wire r_free = !s_axi_rvalid || s_axi_rready;
  wire r_known = s_axi_arvalid && s_axi_araddr[11:4] == 0;
  wire [1:0] okay = bug == 3'd4 ? 2'd1 : 2'd0;

  assign s_axi_awready = !aw_held && !pause[0];
  assign s_axi_wready = !w_held && !pause[1];
  assign s_axi_arready = r_free && !pause[2];
  assign s_axi_rdata = bug == 3'd2 && flip ? ~r_data : r_data;
  assign irq = bug == 3'd7 && regs[0] == 0 ? 1'bx : regs[3][0];

  always @(posedge clk) begin
    if (!rst_n) begin
      aw_held <= 1'b0;
      w_held <= 1'b0;
      s_axi_bvalid <= 1'b0;
      s_axi_rvalid <= 1'b0;
      flip <= 1'b0;
      idle <= 6'd0;
      for (lane = 0; lane < 4; lane = lane + 1) regs[lane] <= 32'd0;
    end else begin
      if (s_axi_awvalid && s_axi_awready) begin
        aw_held <= 1'b1;
        aw_addr <= s_axi_awaddr;
      end
      if (s_axi_wvalid && s_axi_wready) begin
        w_held <= 1'b1;
        w_data <= s_axi_wdata;
        w_strb <= s_axi_wstrb;
      end
      if (free) s_axi_bvalid <= 1'b0;
      if (free && aw_held && (w_held || bug == 3'd1)) begin
        aw_held <= 1'b0;
        w_held <= 1'b0;
        s_axi_bvalid <= 1'b1;
        s_axi_bresp <= aw_addr[11:4] == 0 ? okay : 2'd2;
        for (lane = 0; lane < 4; lane = lane + 1) begin
          if (aw_addr[11:4] == 0 && (w_strb[lane] || bug == 3'd5)) begin
            regs[aw_addr[3:2]][8*lane+:8] <= w_data[8*lane+:8];
          end
        end
      end
      flip <= s_axi_rvalid && !s_axi_rready;
      idle <= s_axi_arvalid || s_axi_rvalid ? 6'd0 : idle + 6'd1;
      if (r_free) begin
        s_axi_rvalid <= (s_axi_arvalid && s_axi_arready && bug != 3'd6) || (bug == 3'd3 && idle == 6'd40);
        s_axi_rresp <= r_known ? okay : 2'd2;
        r_data <= r_known ? regs[s_axi_araddr[3:2]] : 32'd0;
      end
    end
  end

  wire unused = &{1'b0, s_axi_araddr[1:0], aw_addr[1:0]};

endmodule

`resetall
