// axi_memory_store.v : the words of axi_memory, and the files that they come from and go to
//
// $fread fills a word from its most significant byte, so each word is turned round once after loading.
`default_nettype none

module axi_memory_store #(
    parameter integer DATA_W = 128,
    parameter integer ADDR_W = 32,
    parameter integer MEM_WORDS = 65536,
    // Used without the plusargs.
    parameter [8*256-1:0] LOAD = 0,
    parameter [8*256-1:0] DUMP = 0
) (
    input  wire                clk,
    input  wire                awake,
    input  wire                load_req,
    input  wire [        31:0] load_word,
    output reg                 load_done,
    input  wire                dump_req,
    output reg                 dump_done,
    // A word beyond the memory reads 0.
    input  wire                rd_en,
    input  wire [  ADDR_W-1:0] rd_word,
    output reg  [  DATA_W-1:0] rd_data,
    input  wire                wr_en,
    input  wire [  ADDR_W-1:0] wr_word,
    input  wire [DATA_W/8-1:0] wr_strb,
    input  wire [  DATA_W-1:0] wr_data
);

  localparam integer BYTES = DATA_W / 8;
  localparam integer LOG_WORDS = $clog2(MEM_WORDS);

  reg [DATA_W-1:0] mem[0:MEM_WORDS-1];
  reg [8*256-1:0] path;
  integer image_file;
  integer image_words;
  integer dump_file;
  integer i;
  integer lane;
  integer wr_lane;
  reg [DATA_W-1:0] word;
  reg [DATA_W-1:0] turned;

  initial begin
    load_done = 0;
    dump_done = 0;
    for (i = 0; i < MEM_WORDS; i = i + 1) mem[i] = {DATA_W{1'b0}};
    if (!$value$plusargs("image=%s", path)) path = 0;
    if (path != 0) load(0);
  end

  always @(posedge clk) begin
    if (rd_en) begin
      rd_data <= rd_word[ADDR_W-1:LOG_WORDS] == 0 ? mem[rd_word[LOG_WORDS-1:0]] : {DATA_W{1'b0}};
    end
    if (wr_en) begin
      if (&wr_strb) mem[wr_word[LOG_WORDS-1:0]] <= wr_data;
      else begin
        for (wr_lane = 0; wr_lane < BYTES; wr_lane = wr_lane + 1) begin
          if (wr_strb[wr_lane]) mem[wr_word[LOG_WORDS-1:0]][8*wr_lane+:8] <= wr_data[8*wr_lane+:8];
        end
      end
    end
  end

  // The file named by `path` to word `first` and up.
  task load;
    input integer first;
    begin
      image_file = $fopen(path, "rb");
      if (image_file == 0) begin
        $display("axi_memory: cannot read %0s", path);
        $finish;
      end else begin
        image_words = ($fread(mem, image_file, first) + BYTES - 1) / BYTES;
        $fclose(image_file);
        for (i = first; i < first + image_words; i = i + 1) begin
          word = mem[i];
          for (lane = 0; lane < BYTES; lane = lane + 1) begin
            turned[8*lane+:8] = word[8*(BYTES-1-lane)+:8];
          end
          mem[i] = turned;
        end
      end
    end
  endtask

  task reload;
    begin
      if (!$value$plusargs("load=%s", path)) path = LOAD;
      if (path != 0) load(load_word);
    end
  endtask

  task dump;
    begin
      if (!$value$plusargs("dump=%s", path)) path = DUMP;
      if (path != 0) begin
        dump_file = $fopen(path, "wb");
        for (i = 0; i < MEM_WORDS; i = i + 1) $fwrite(dump_file, "%u", mem[i]);
        $fclose(dump_file);
      end
    end
  endtask

  always @(posedge clk) begin
    if (awake && load_req != load_done) begin
      reload;
      load_done <= load_req;
    end
    if (awake && dump_req != dump_done) begin
      dump;
      dump_done <= dump_req;
    end
  end

  // A write beyond the memory gets an error and does not come here.
  wire unused = &{1'b0, wr_word[ADDR_W-1:LOG_WORDS]};

endmodule

`resetall
