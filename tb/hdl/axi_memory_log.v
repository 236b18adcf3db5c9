// axi_memory_log.v : writes the bursts that axi_memory has answered (the files: axi_memory.v)
`default_nettype none

module axi_memory_log #(
    parameter integer DATA_W = 128,
    parameter integer ADDR_W = 32,
    parameter integer ID_W = 4,
    parameter [8*256-1:0] LOG = 0  // used without the plusarg
) (
    input  wire              clk,
    input  wire              rst_n,
    input  wire              awake,
    input  wire [      31:0] cycle,
    input  wire              flush,
    output reg               flushed,
    // A beat of a read that is taken, and what is known of its burst.
    input  wire              r_done,
    input  wire              r_last,
    input  wire [DATA_W-1:0] r_data,
    input  wire [  ID_W-1:0] r_id,
    input  wire [ADDR_W-1:0] r_addr,
    input  wire [       7:0] r_len,
    input  wire [       1:0] r_worst,
    input  wire [      31:0] r_start,
    // A beat of a write; the response to a burst.
    input  wire              w_take,
    input  wire [DATA_W-1:0] w_data,
    input  wire              b_done,
    input  wire [  ID_W-1:0] b_id,
    input  wire [ADDR_W-1:0] b_addr,
    input  wire [       7:0] b_len,
    input  wire [       1:0] b_resp,
    input  wire              b_full,
    input  wire [      31:0] b_start,
    input  wire [      31:0] b_position
);

  localparam [6:0] CHUNK = 7'd64;  // bus words written to a data file at a time

  reg [8*256-1:0] path;
  integer burst_file;
  integer read_file;
  integer write_file;
  integer i;
  reg [CHUNK*DATA_W-1:0] read_chunk;
  reg [CHUNK*DATA_W-1:0] write_chunk;
  reg [6:0] read_fill;
  reg [6:0] write_fill;
  reg [31:0] read_total;  // words
  reg [63:0] address;

  initial begin
    flushed = 0;
    read_fill = 0;
    write_fill = 0;
    read_total = 0;
    burst_file = 0;
    read_file = 0;
    write_file = 0;
    if (!$value$plusargs("log=%s", path)) path = LOG;
    if (path != 0) begin
      burst_file = $fopen({path, ".bursts"}, "wb");
      read_file  = $fopen({path, ".reads"}, "wb");
      write_file = $fopen({path, ".writes"}, "wb");
      if (burst_file == 0 || read_file == 0 || write_file == 0) begin
        $display("axi_memory: cannot write the log %0s.*", path);
        $finish;
      end
    end
  end

  // Blocking on purpose: only these tasks use the chunks, and a copy of one every cycle would cost half the
  // speed.
  task log_read_beat;
    begin
      read_chunk[read_fill*DATA_W+:DATA_W] = r_data;
      read_fill = read_fill + 7'd1;
      read_total = read_total + 1;
      if (read_fill == CHUNK) begin
        $fwrite(read_file, "%u", read_chunk);
        read_fill = 0;
      end
    end
  endtask

  task log_write_beat;
    begin
      write_chunk[write_fill*DATA_W+:DATA_W] = w_data;
      write_fill = write_fill + 7'd1;
      if (write_fill == CHUNK) begin
        $fwrite(write_file, "%u", write_chunk);
        write_fill = 0;
      end
    end
  endtask

  task log_burst;
    input [ID_W-1:0] id;
    input [ADDR_W-1:0] addr;
    input [7:0] len;
    input [3:0] flags;
    input [31:0] first;
    input [31:0] position;
    begin
      address = {{(64 - ADDR_W) {1'b0}}, addr};
      $fwrite(burst_file, "%u", {position, cycle, first, address, {24'd0, len} + 32'd1,
                                 {{(32 - ID_W) {1'b0}}, id}, {28'd0, flags}});
    end
  endtask

  task flush_log;
    begin
      for (i = 0; i < {25'd0, read_fill}; i = i + 1)
      $fwrite(read_file, "%u", read_chunk[i*DATA_W+:DATA_W]);
      for (i = 0; i < {25'd0, write_fill}; i = i + 1)
      $fwrite(write_file, "%u", write_chunk[i*DATA_W+:DATA_W]);
      read_fill  = 0;
      write_fill = 0;
      $fflush(read_file);
      $fflush(write_file);
      $fflush(burst_file);
    end
  endtask

  always @(posedge clk) begin
    if (rst_n && awake && burst_file != 0) begin
      if (r_done) begin
        log_read_beat;
        if (r_last) begin
          log_burst(r_id, r_addr, r_len, {r_worst, 2'b10}, r_start,
                    read_total - {24'd0, r_len} - 32'd1);
        end
      end
      if (w_take) log_write_beat;
      if (b_done) log_burst(b_id, b_addr, b_len, {b_resp, b_full, 1'b1}, b_start, b_position);
    end
    if (awake && flush != flushed) begin
      if (burst_file != 0) flush_log;
      flushed <= flush;
    end
  end

endmodule

`resetall
