// npu_check_params.vh : parameters of npu.v that the core cannot be built for stop the build
//
// Included by npu.v. Each names a module that does not exist, which says what is wrong.
// verilog_syntax: parse-as-module-body
if (N != 4 && N != 8 && N != 16 && N != 32) begin : g_bad_n
  npu_error_N_must_be_4_8_16_or_32 u_error ();
end
if (ACT_WORDS != 1 << LOG_ACT || WGT_WORDS != 1 << LOG_WGT || OUT_WORDS != 1 << LOG_OUT ||
    PAR_WORDS != 1 << LOG_PAR || RES_WORDS != 1 << LOG_RES || ACC_DEPTH != 1 << LOG_DEPTH ||
    LINE_WORDS != 1 << LOG_LINE || OUTSTANDING != 1 << LOG_OUTSTANDING) begin : g_bad_size
  npu_error_sizes_must_be_powers_of_two u_error ();
end
if (LOG_ACT > 16 || LOG_WGT > 16 || LOG_OUT > 16 || LOG_PAR > 16 || LOG_RES > 16) begin : g_bad_depth
  npu_error_buffers_hold_at_most_65536_words u_error ();
end
if (ACC_DEPTH < 2 || ACC_DEPTH > 32768 || OUTSTANDING < 2) begin : g_bad_limit
  npu_error_ACC_DEPTH_2_to_32768_OUTSTANDING_2_or_more u_error ();
end
if (LINE_WORDS < 2 || LINE_WORDS > 65536) begin : g_bad_line
  npu_error_LINE_WORDS_2_to_65536 u_error ();
end
if (MAX_BURST < 1 || MAX_BURST > 256 || MAX_BURST * N > 4096) begin : g_bad_burst
  npu_error_MAX_BURST_must_be_1_to_256_and_fit_4_KiB u_error ();
end
if (ADDR_W != 32) begin : g_bad_addr
  npu_error_ADDR_W_must_be_32 u_error ();
end
