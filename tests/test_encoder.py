"""The encoder's contract; its numbers against a naive one: test_parity.py."""

import pytest
import torch

from slimlab import augment, skeleton
from slimlab.encoder import Encoder, EncoderConfig, pooled, rotary_tables, rotate, unseen_tokens
from slimlab.skeleton import COCO, KINECT_V2


@pytest.fixture(scope="module")
def small():
    torch.manual_seed(0)
    encoder = Encoder(EncoderConfig(width=32, depth=2, heads=4, registers=2, init_std=None)).eval()
    for p in encoder.parameters():  # biases, norms and tokens that are not zero or one
        p.data += 0.1 * torch.randn_like(p)
    return encoder


def clip(batch=2, frames=16, joints=25, people=2, seed=0):
    return torch.randn(batch, 3, frames, joints, people, generator=torch.Generator().manual_seed(seed))


def test_the_papers_size():
    assert sum(p.numel() for p in Encoder().parameters()) == 6_368_768  # SLiM, section 4.1
    assert EncoderConfig().hidden == 688


@pytest.mark.parametrize("frames", [64, 32, 16, 8])
@torch.no_grad()
def test_lengths_and_shapes(small, frames):
    out = small(clip(3, frames))
    assert out.cls.shape == (3, 2, 32) and out.registers.shape == (3, 2, 2, 32)
    assert out.tokens.shape == (3, 2, frames // 8, 25, 32) and out.intermediates is None


@torch.no_grad()
def test_intermediates_are_what_the_fused_kernel_computes(small):
    x = clip()
    plain, seen = small(x), small(x, return_intermediates=True)
    torch.testing.assert_close(seen.cls, plain.cls, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(seen.tokens, plain.tokens, atol=1e-5, rtol=1e-5)
    length = 1 + 2 + 2 * 25
    assert len(seen.intermediates) == 2
    for block in seen.intermediates:
        assert block.tokens.shape == (2, 2, length, 32) and block.attention.shape == (2, 2, 4, length, length)
        torch.testing.assert_close(block.attention.sum(dim=-1), torch.ones(2, 2, 4, length))
    torch.testing.assert_close(small.norm(seen.intermediates[-1].tokens)[:, :, 0], plain.cls, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_a_masked_cell_is_not_seen(small):
    mask = torch.zeros(2, 25, dtype=torch.bool)
    mask[1, 4] = True
    x, other = clip(), clip()
    other[:, :, 8:16, 4] = 9.0
    assert torch.equal(small(x, mask=mask).tokens, small(other, mask=mask).tokens)
    assert not torch.allclose(small(x).cls, small(other).cls, atol=1e-3)
    per_person = torch.zeros(2, 2, 2, 25, dtype=torch.bool)
    per_person[1, 0] = mask
    out = small(x, mask=per_person)
    torch.testing.assert_close(out.cls[1, 0], small(x, mask=mask).cls[1, 0])
    torch.testing.assert_close(out.cls[0], small(x).cls[0])


@torch.no_grad()
def test_absent_people_are_zero_and_not_computed(small):
    x, people = clip(3), torch.tensor([[True, False], [True, True], [False, False]])
    sizes = []
    hook = small.blocks[0].register_forward_hook(lambda _, args, __: sizes.append(len(args[0])))
    out = small(x, people=people, mask=torch.ones(2, 25, dtype=torch.bool), return_intermediates=True)
    hook.remove()
    assert sizes == [3]  # people that are there, of six
    assert not out.cls[~people].any() and not out.tokens[~people].any() and not out.intermediates[0].attention[~people].any()
    torch.testing.assert_close(small(x, people=people).cls[people], small(x).cls[people], atol=1e-5, rtol=1e-5)
    assert not small(x, people=torch.zeros(3, 2, dtype=torch.bool)).cls.any()  # nobody anywhere


@torch.no_grad()
def test_features_by_their_definition(small):
    x, people = clip(3), torch.tensor([[True, False], [True, True], [True, True]])
    out = small(x, people=people, return_intermediates=True)
    one = torch.cat([out.cls, out.tokens.mean(dim=(2, 3))], dim=-1)  # (B, M, 2D)
    torch.testing.assert_close(small.features(x, people), one.flatten(1), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(small.features(x, people, combine="sum"), one.sum(1), atol=1e-5, rtol=1e-5)
    count = people.sum(1, keepdim=True)
    torch.testing.assert_close(small.features(x, people, combine="mean"), one.sum(1) / count, atol=1e-5, rtol=1e-5)
    two = torch.cat([small.norm(out.intermediates[0].tokens[:, :, 0]) * people[..., None], out.cls], dim=-1)
    torch.testing.assert_close(small.features(x, people, blocks=2, pool="cls"), two.flatten(1), atol=1e-5, rtol=1e-5)
    assert small.features(x, people, pool="mean").shape == (3, 64)
    every = out.tokens.flatten(2)  # (B, M, T'*V*D)
    torch.testing.assert_close(small.features(x, people, pool="tokens"), every.flatten(1), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_readings_that_keep_when_and_where(small):
    """Each by its definition, token by token, at two lengths of the view."""
    for frames in (16, 32):
        x, people = clip(2, frames), torch.tensor([[True, False], [True, True]])
        tokens, parts = small(x, people=people).tokens, list(small.config.skeleton.parts.values())
        steps = range(frames // 8)
        mean = {
            "time": [tokens[:, :, t].mean(dim=2) for t in steps],
            "part": [tokens[:, :, :, list(part)].mean(dim=(2, 3)) for part in parts],
            "time+part": [tokens[:, :, t, list(part)].mean(dim=2) for t in steps for part in parts],
        }
        for pool, vectors in mean.items():
            expected = torch.cat(vectors, dim=-1)  # (B, M, F)
            torch.testing.assert_close(small.features(x, people, pool=pool), expected.flatten(1), atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(small.features(x, people, pool=pool, combine="sum"), expected.sum(1), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_the_mean_token_forgets_when_and_where_and_the_others_do_not():
    """Tokens in another order of time, or on other joints: what each reading makes of it. The tokens are given, not encoded."""
    tokens = torch.randn(2, 1, 4, len(KINECT_V2), 8, generator=torch.Generator().manual_seed(0))
    alike = {}
    for pool in ("mean", "time", "part", "time+part", "tokens"):
        before = pooled(tokens, KINECT_V2, pool)
        after = [pooled(other, KINECT_V2, pool) for other in (tokens.flip(2), tokens.roll(1, dims=3))]
        alike[pool] = [torch.allclose(before, other, atol=1e-5) for other in after]
    assert alike == {
        "mean": [True, True],
        "time": [False, True],
        "part": [True, False],
        "time+part": [False, False],
        "tokens": [False, False],
    }


def test_bodies_of_the_same_limbs_have_them_in_one_order():
    """So that a reading by parts can be compared between bodies."""
    named = [body for body in vars(skeleton).values() if isinstance(body, skeleton.Skeleton) and "left leg" in body.parts]
    assert len(named) > 5 and {tuple(body.parts) for body in named} == {tuple(KINECT_V2.parts)}


def test_people_do_not_influence_each_other(small):
    x, other = clip(), clip()
    other[..., 1] += 5
    with torch.no_grad():
        torch.testing.assert_close(small(x).cls[:, 0], small(other).cls[:, 0])


def test_gradients_reach_every_parameter(small):
    mask = torch.zeros(2, 25, dtype=torch.bool)
    mask[0, :5] = True
    small.zero_grad()
    out = small(clip(), mask=mask)
    (out.cls.sum() + out.registers.square().sum() + out.tokens.square().sum()).backward()
    assert [n for n, p in small.named_parameters() if p.grad is None or not p.grad.any()] == []
    small.zero_grad()


def test_other_bodies():
    out = Encoder(EncoderConfig(skeleton=COCO, width=16, depth=1, heads=2))(clip(1, 8, len(COCO), 1))
    assert out.tokens.shape == (1, 1, 1, len(COCO), 16)


@pytest.mark.parametrize(
    "x, kwargs, says",
    [
        (clip(1, 12), {}, "T a multiple of 8"),
        (clip(1, 8, 20), {}, "V = 25 joints"),
        (clip(1, 8), {"people": torch.ones(1, 3, dtype=torch.bool)}, "people is"),
        (clip(1, 8), {"mask": torch.ones(2, 25, dtype=torch.bool)}, "mask is"),
        (clip(1, 8), {"mask": torch.ones(1, 25)}, "mask is"),
    ],
)
def test_wrong_shapes_are_refused(small, x, kwargs, says):
    with pytest.raises(ValueError, match=says):
        small(x, **kwargs)


def test_wrong_settings_are_refused(small):
    with pytest.raises(ValueError, match="even multiple of heads"):
        EncoderConfig(width=30, heads=4)
    with pytest.raises(ValueError, match="pool is one of"):
        small.features(clip(), pool="max")
    assert len(KINECT_V2) == small.config.skeleton.__len__()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@torch.no_grad()
def test_cuda_gives_the_cpus_numbers(small):
    x = clip()
    on_gpu = Encoder(small.config).cuda()
    on_gpu.load_state_dict(small.state_dict())
    torch.testing.assert_close(on_gpu(x.cuda()).cls.cpu(), small(x).cls, atol=1e-4, rtol=1e-4)


def test_tokens_without_attention_are_the_same_tokens():
    torch.manual_seed(0)
    encoder = Encoder(EncoderConfig(width=16, depth=2, heads=2)).eval()
    x = torch.randn(2, 3, 16, 25, 1)
    with torch.no_grad():
        explicit, fused = encoder(x, return_intermediates=True), encoder(x, return_intermediates="tokens")
    for a, b in zip(explicit.intermediates, fused.intermediates, strict=True):
        torch.testing.assert_close(a.tokens, b.tokens, atol=1e-5, rtol=1e-5)
        assert a.attention.shape == (2, 1, 2, 55, 55) and b.attention is None


@pytest.mark.parametrize("depth", [0, 1, 3])
@pytest.mark.parametrize("asked", ["some", "none of them", "none"])
def test_what_the_losses_ask_for_is_what_the_whole_encoder_gives(depth, asked):
    encoder = Encoder(EncoderConfig(width=16, depth=depth, heads=2, registers=2)).double()
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(4, 3, 32, 25, 1, generator=rng, dtype=torch.float64)
    mask, tokens = (torch.rand(4, 4, 25, generator=rng) < 0.4 for _ in range(2))
    tokens[1] = False  # a view of which CLS alone is asked for
    tokens = {"some": tokens, "none of them": torch.zeros_like(tokens), "none": None}[asked]
    out = encoder(x, mask=mask[:, None])
    expected = (out.cls[:, 0], out.tokens[:, 0][tokens if tokens is not None else torch.zeros_like(mask)])
    found = encoder.cls_and_tokens(x, mask, tokens)
    gradients = []
    for cls, of_tokens in (expected, found):
        encoder.zero_grad()
        (cls.sin().sum() + of_tokens.cos().sum()).backward()
        gradients.append([p.grad for p in encoder.parameters()])
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-10, atol=1e-12)
    unmasked = encoder(x[:2]).cls[:, 0], encoder.cls_and_tokens(x[:2], None, None)[0]
    torch.testing.assert_close(unmasked[1], unmasked[0], rtol=1e-10, atol=1e-12)


def test_what_the_losses_ask_for_is_asked_of_one_person_a_clip(small):
    with pytest.raises(ValueError, match="one person a clip"):
        small.cls_and_tokens(torch.zeros(2, 3, 16, 25, 2), None, None)


def test_rotary_depends_on_the_difference_of_times_alone_and_is_a_product_of_complex_numbers():
    rng = torch.Generator().manual_seed(0)
    q, k = torch.randn(2, 1, 16, generator=rng, dtype=torch.float64)

    def score(s, t):
        turned = (rotate(v, rotary_tables(torch.tensor([float(at)]), 16)) for v, at in ((q, s), (k, t)))
        return float((next(turned) * next(turned)).sum())

    assert score(0, 3) == pytest.approx(score(5, 8)) and score(2, 2) == pytest.approx(float((q * k).sum()))
    assert abs(score(0, 3) - score(3, 0)) > 1e-3
    angle = 3 * 10000.0 ** (-torch.arange(8, dtype=torch.float64) / 8)
    complex_k = torch.complex(k[0, :8], k[0, 8:]) * torch.polar(torch.ones_like(angle), angle)
    got = rotate(k, rotary_tables(torch.tensor([3.0]), 16))[0]
    torch.testing.assert_close(got, torch.cat([complex_k.real, complex_k.imag]))


def test_an_encoder_that_was_looked_at_can_still_be_trained():
    encoder = Encoder(EncoderConfig(width=16, depth=1, heads=2))
    x = torch.randn(1, 3, 16, 25, 1)
    with torch.inference_mode():
        encoder(x)
    encoder(x).cls.sum().backward()
    assert encoder.patch_embed.proj.weight.grad is not None


def seen_parts(body, batch=3, frames=64, people=2, seed=0):
    rng = torch.Generator().manual_seed(seed)
    x = torch.randn(batch, 3, frames, len(body), people, generator=rng)
    return x, torch.rand(batch, frames, len(body), people, generator=rng) > 0.3


def test_no_coordinate_of_an_unseen_joint_is_read(small):
    x, seen = seen_parts(small.config.skeleton)
    other = torch.where(seen[:, None], x, torch.randn(x.shape) * 100)
    with torch.no_grad():
        a, b = (small(v, seen=seen) for v in (x, other))
    for field in ("cls", "registers", "tokens"):
        torch.testing.assert_close(getattr(a, field), getattr(b, field), rtol=0, atol=0)


def test_a_token_seen_in_under_half_of_its_frames_is_the_mask_token(small):
    span = small.config.patch_frames
    x, seen = seen_parts(small.config.skeleton)
    seen[:] = True
    seen[0, : span // 2 + 1, 4, 0] = False  # one frame more than half of the first token
    seen[1, : span // 2, 9, 1] = False  # just half: seen
    mask = torch.zeros(3, 2, x.shape[2] // span, x.shape[3], dtype=torch.bool)
    mask[0, 0, 0, 4] = True
    assert torch.equal(unseen_tokens(seen, span), mask)
    with torch.no_grad():
        declared, masked = small(x, seen=seen), small(x, mask=mask)
        torch.testing.assert_close(declared.tokens[0], masked.tokens[0], rtol=0, atol=0)
        torch.testing.assert_close(declared.tokens[2], small(x).tokens[2], rtol=0, atol=0)
        filled = small(augment.fill_unseen(x, seen)).tokens
        torch.testing.assert_close(declared.tokens[1], filled[1], rtol=0, atol=0)
        both = small(x, mask=mask.flip(0), seen=seen).tokens
        torch.testing.assert_close(both, small(augment.fill_unseen(x, seen), mask=mask | mask.flip(0)).tokens, rtol=0, atol=0)


def test_everything_seen_is_as_nothing_said(small):
    x, seen = seen_parts(small.config.skeleton)
    with torch.no_grad():
        torch.testing.assert_close(small(x, seen=torch.ones_like(seen)).cls, small(x).cls, rtol=0, atol=0)
    with pytest.raises(ValueError, match=r"seen is \(3, 64, 25\), should be \(B, T, V, M\)"):
        small(x, seen=seen[..., 0])
