/**
 * Operators of the domain `ai.onnx` that may run: each has a kernel in ONNX Runtime Web 1.30, on the GPU or else on the CPU beside it, its result
 * depends on its inputs alone, and the size of what it makes on their sizes alone.
 */
export const operators: ReadonlySet<string> = new Set(
  `Abs Acos Acosh Add And ArgMax ArgMin Asin Asinh Atan Atanh AveragePool BatchNormalization Cast Ceil Celu Clip Concat Constant ConstantOfShape Conv
  ConvTranspose Cos Cosh CumSum DepthToSpace DequantizeLinear Div Dropout Elu Equal Erf Exp Expand EyeLike Flatten Floor Gather GatherElements
  GatherND Gelu Gemm GlobalAveragePool GlobalMaxPool Greater GreaterOrEqual GridSample GroupNormalization HardSigmoid HardSwish Identity
  InstanceNormalization IsInf IsNaN LRN LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax LpNormalization MatMul Max MaxPool Mean
  MeanVarianceNormalization Min Mish Mod Mul Neg Not OneHot Or PRelu Pad Pow Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax
  ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape Resize Round ScatterElements ScatterND Selu Shape Sigmoid Sign Sin Sinh Size
  Slice Softmax Softplus Softsign SpaceToDepth Split Sqrt Squeeze Sub Sum Tan Tanh ThresholdedRelu Tile TopK Transpose Trilu Unsqueeze Upsample Where Xor`.split(
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
  ...Object.fromEntries(['NonZero', 'NonMaxSuppression', 'Unique', 'Compress'].map((name) => [name, 'how much it returns depends on the values'])),
};

/** Tensors of these have numbers that say what is to be done: the least change of one may mean another operation, or none. */
export const takesInstructions: ReadonlySet<string> = new Set(['Resize', 'Upsample', 'Range', 'Pow', 'Cast', 'Clip', 'Equal', 'Mod', 'Pad', 'OneHot']);
