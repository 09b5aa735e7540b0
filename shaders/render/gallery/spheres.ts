import { Model } from './model.ts';
import { checker } from './paint.ts';
import { lathe, panel, quad, sphere } from './shapes.ts';

/** Seven spheres from mirror to matte, metal behind and enamel in front, between a warm and a cool light. */
export async function spheres(): Promise<Uint8Array> {
  const model = new Model();
  const floor = await checker([52, 58, 62], [196, 192, 184]);
  model.add(quad([-8, 0, 6], [16, 0, 0], [0, 0, -10], [16, 10]), model.material({ texture: floor, roughness: 0.35 }));
  model.add(quad([-8, 0, -4], [16, 0, 0], [0, 7, 0]), model.material({ color: [0.5, 0.5, 0.52] }));

  const ball = sphere(0.5, 28);
  const count = 7;
  for (let i = 0; i < count; i++) {
    const x = (i - (count - 1) / 2) * 1.15;
    const roughness = 0.03 + 0.9 * (i / (count - 1)) ** 1.5;
    model.add(ball, model.material({ color: [0.95, 0.72, 0.42], metallic: 1, roughness }), { at: [x, 0.5, -0.9] });
    model.add(ball, model.material({ color: [0.03, 0.3, 0.2], metallic: 0, roughness }), { at: [x * 0.74, 0.32, 0.55], scale: [0.64, 0.64, 0.64] });
  }
  const knob = lathe([0, 0, 0.09, 0, 0.09, 0, 0.12, 0.05, 0.1, 0.1, 0.05, 0.13, 0, 0.14], 32);
  model.add(knob, model.material({ color: [0.9, 0.88, 0.84], roughness: 0.2 }), { at: [0.32, 0, 1.35] });

  model.add(panel([-4.6, 2.6, 2.2], [0, 0.4, 0], 2.6, 2), model.material({ color: [0, 0, 0], emission: [26, 14.5, 6.6] }));
  model.add(panel([4.6, 2.6, 2.6], [0, 0.4, 0], 2.6, 2), model.material({ color: [0, 0, 0], emission: [7.5, 12.5, 20] }));
  model.camera([0, 1.75, 6.6], [0, 0.62, -0.4], 30);
  return model.write();
}
