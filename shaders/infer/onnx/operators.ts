/**
 * Operators of the domain `ai.onnx` that may run: each has a kernel in ONNX Runtime Web 1.30, on the GPU or else on the CPU beside it, its result
 * depends on its inputs alone, and the size of what it makes on their sizes alone. All of them were run on SwiftShader and compared with the CPU.
 */
export const operators: ReadonlySet<string> = new Set(
  `Abs Add And ArgMax ArgMin AveragePool BatchNormalization Cast Ceil Celu Clip Concat Constant ConstantOfShape Conv
  ConvTranspose Cosh CumSum DepthToSpace DequantizeLinear Div Dropout Elu Equal Erf Exp Expand EyeLike Flatten Floor Gather GatherElements
  GatherND Gelu Gemm GlobalAveragePool GlobalMaxPool Greater GreaterOrEqual GridSample GroupNormalization HardSigmoid HardSwish Identity
  InstanceNormalization IsInf IsNaN LRN LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax LpNormalization MatMul Max MaxPool Mean
  MeanVarianceNormalization Min Mish Mod Mul Neg Not OneHot Or PRelu Pad Pow Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax
  ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape Resize Round ScatterElements ScatterND Selu Shape Sigmoid Sign Sinh Size
  Slice Softmax Softplus Softsign SpaceToDepth Split Sqrt Squeeze Sub Sum Tanh ThresholdedRelu Tile TopK Transpose Trilu Unsqueeze Upsample Where Xor`.split(
    /\s+/,
  ),
);

/** Why others are refused, where there is more to say than that they are not listed. */
export const refusedBecause: Readonly<Record<string, string>> = {
  ...Object.fromEntries(['If', 'Loop', 'Scan', 'SequenceMap'].map((name) => [name, 'it contains a graph of its own'])),
  ...Object.fromEntries(
    ['RandomNormal', 'RandomNormalLike', 'RandomUniform', 'RandomUniformLike', 'Multinomial', 'Bernoulli'].map((name) => [
      name,
      'it draws random numbers, so no two GPUs would agree',
    ]),
  ),
  ...Object.fromEntries(
    ['Acos', 'Acosh', 'Asin', 'Asinh', 'Atan', 'Atanh', 'Cos', 'Sin', 'Tan'].map((name) => [
      name,
      'GPUs may compute it to three digits only (WGSL, accuracy of built-in functions), which is too coarse to be checked',
    ]),
  ),
  ...Object.fromEntries(['NonZero', 'NonMaxSuppression', 'Unique', 'Compress'].map((name) => [name, 'how much it returns depends on the values'])),
};

/** Tensors of these have numbers that say what is to be done: the least change of one may mean another operation, or none. */
export const takesInstructions: ReadonlySet<string> = new Set(['Resize', 'Upsample', 'Range', 'Pow', 'Cast', 'Clip', 'Equal', 'Mod', 'Pad', 'OneHot']);
